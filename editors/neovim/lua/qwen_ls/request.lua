--- `textDocument/inlineCompletion`, sent by the plugin.

local ghost = require('qwen_ls.ghost')
local suggestion = require('qwen_ls.suggestion')

local api = vim.api

local M = {}

M.METHOD = 'textDocument/inlineCompletion'

--- LSP's `InlineCompletionTriggerKind`, which Neovim 0.11 does not have.
M.INVOKED, M.AUTOMATIC = 1, 2

---@type table<integer, fun()?> what ends a buffer's request
local cancels = {}

--- The server's clients at a buffer.
---
---@param bufnr integer
---@return vim.lsp.Client[]
function M.clients(bufnr)
  return vim.lsp.get_clients({ bufnr = bufnr, name = 'qwen_ls', method = M.METHOD })
end

--- Forget the request that has no answer yet.
---
---@param bufnr integer
function M.cancel(bufnr)
  local cancel = cancels[bufnr]
  cancels[bufnr] = nil
  if cancel then
    cancel()
  end
end

--- Ask for suggestions at the cursor, and show them when they come.
---
---@param kind integer `INVOKED` or `AUTOMATIC`
function M.send(kind)
  local bufnr = api.nvim_get_current_buf()
  M.cancel(bufnr)
  local client = M.clients(bufnr)[1]
  if not client then
    return
  end
  local position = vim.lsp.util.make_position_params(0, client.offset_encoding)
  local params = vim.tbl_extend('force', position, { context = { triggerKind = kind } })
  local sent, id = client:request(M.METHOD, params, function(_, result)
    cancels[bufnr] = nil
    -- No list: the server has a newer request. What is shown stays.
    local is_here = api.nvim_get_current_buf() == bufnr and vim.startswith(api.nvim_get_mode().mode, 'i')
    if result and is_here then
      ghost.show(bufnr, suggestion.from_answer(result, client, bufnr))
    end
  end, bufnr)
  if sent and id then
    cancels[bufnr] = function()
      client:cancel_request(id)
    end
  end
end

return M
