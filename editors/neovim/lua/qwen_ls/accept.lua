--- Putting a suggestion, or its beginning, into the buffer, and telling the server what became of it.

local ghost = require('qwen_ls.ghost')
local suggestion = require('qwen_ls.suggestion')

local api = vim.api

local M = {}

--- End the block of changes that one |u| takes back. See |undo-break|.
local function break_undo()
  vim.go.undolevels = vim.go.undolevels
end

--- All accepted: the item's command says so. Part of it: a notification that Copilot's clients send.
---
---@param accepted qwen_ls.Suggestion
---@param part string
local function tell(accepted, part)
  local client = vim.lsp.get_client_by_id(accepted.client_id)
  if not client then
    return
  end
  if part == accepted.text then
    if accepted.item.command then
      client:exec_cmd(accepted.item.command, { bufnr = accepted.bufnr })
    end
  elseif client.name == 'qwen_ls' then
    client:notify('textDocument/didPartiallyAcceptCompletion', {
      item = accepted.item,
      acceptedLength = vim.str_utfindex(part, 'utf-16'),
    })
  end
end

--- The user does not want it: where it comes from is told by the argument of its command.
---
---@param dismissed qwen_ls.Suggestion
function M.tell_dismissed(dismissed)
  local client = vim.lsp.get_client_by_id(dismissed.client_id)
  local command = dismissed.item.command
  if client and client.name == 'qwen_ls' and command then
    client:exec_cmd(
      { title = '', command = 'qwen-ls.dismissed', arguments = command.arguments },
      { bufnr = dismissed.bufnr }
    )
  end
end

--- Insert the part of a suggestion that `take` takes of its text; what is left of it stays on the screen.
---
---@param accepted qwen_ls.Suggestion one that fits at the cursor
---@param take fun(text: string): string
function M.insert(accepted, take)
  local part = take(accepted.text)
  local is_all = part == accepted.text
  local row, col = accepted.row, accepted.col
  local lines = vim.split(part, '\n', { plain = true })
  break_undo()
  api.nvim_buf_set_text(accepted.bufnr, row, col, row, is_all and accepted.end_col or col, lines)
  local rest = suggestion.after(accepted, part)
  api.nvim_win_set_cursor(0, { rest.row + 1, rest.col })
  break_undo()
  ghost.show(accepted.bufnr, is_all and {} or { rest })
  tell(accepted, part)
end

return M
