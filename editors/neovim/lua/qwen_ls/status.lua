--- The server's state, from its notification `didChangeStatus`, and as a part of the statusline.

local M = {}

---@class qwen_ls.Status
---@field busy boolean
---@field kind 'Normal'|'Warning'|'Error'|'Inactive'
---@field message string

---@type table<integer, qwen_ls.Status?> by client
local statuses = {}

local SIGNS = { Normal = '', Warning = ' !', Error = ' !!', Inactive = ' off' }

--- The handler of `didChangeStatus`.
---
---@param _ lsp.ResponseError?
---@param params qwen_ls.Status
---@param context lsp.HandlerContext
function M.on_change(_, params, context)
  statuses[context.client_id] = params
  vim.cmd.redrawstatus({ bang = true })
  vim.api.nvim_exec_autocmds('User', { pattern = 'QwenLsStatus', modeline = false })
end

--- The status at a buffer.
---
---@param bufnr? integer (default: current buffer)
---@return qwen_ls.Status? # nil where no server is
function M.get(bufnr)
  local client = vim.lsp.get_clients({ bufnr = bufnr or 0, name = 'qwen_ls' })[1]
  if not client then
    return nil
  end
  if not require('qwen_ls').is_enabled() then
    return { busy = false, kind = 'Inactive', message = 'switched off' }
  end
  return statuses[client.id] or { busy = false, kind = 'Normal', message = '' }
end

--- The current buffer's status in a few cells; "" where no server is.
---
---@return string
function M.text()
  local status = M.get()
  if not status then
    return ''
  end
  return 'qwen' .. (status.busy and ' …' or SIGNS[status.kind] or '')
end

return M
