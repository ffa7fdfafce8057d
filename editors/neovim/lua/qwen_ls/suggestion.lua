--- A suggestion: a text for a place in a buffer, and how it fits there after keys were pressed.

local api = vim.api

local M = {}

---@class qwen_ls.Suggestion
---@field bufnr integer
---@field client_id integer
---@field row integer line, from 0
---@field col integer byte column at which it was made: that of the cursor
---@field end_col integer byte column, on the same line, of the end of what it replaces
---@field text string what comes at `col`; its lines end in "\n"
---@field item qwen_ls.Item what the server knows it by

---@class qwen_ls.Item
---@field insertText string
---@field command? lsp.Command

--- The suggestions in a server's answer. Ones without a range are for the cursor; snippets are left out.
---
---@param result lsp.InlineCompletionList|lsp.InlineCompletionItem[]
---@param client vim.lsp.Client
---@param bufnr integer the current buffer
---@return qwen_ls.Suggestion[]
function M.from_answer(result, client, bufnr)
  local suggestions = {} ---@type qwen_ls.Suggestion[]
  for _, item in ipairs(result.items or result) do
    if type(item.insertText) == 'string' then
      local row, col = unpack(api.nvim_win_get_cursor(0))
      row = row - 1
      local end_col = col
      if item.range then
        row = item.range.start.line
        local line = api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1] or ''
        local encoding = client.offset_encoding
        col = vim.str_byteindex(line, encoding, item.range.start.character, false)
        end_col = vim.str_byteindex(line, encoding, item.range['end'].character, false)
      end
      suggestions[#suggestions + 1] = {
        bufnr = bufnr,
        client_id = client.id,
        row = row,
        col = col,
        end_col = end_col,
        text = item.insertText,
        item = item,
      }
    end
  end
  return suggestions
end

--- The suggestion that |vim.lsp.inline_completion| shows, whose place is that of the last answer.
---
---@param native vim.lsp.inline_completion.Item
---@param bufnr integer
---@return qwen_ls.Suggestion? # nil for a snippet, and for one without a range
function M.from_native(native, bufnr)
  local text = native.insert_text
  if type(text) ~= 'string' or not native.range then
    return nil
  end
  local row, col, end_row, end_col = native.range:to_extmark()
  if end_row ~= row then
    return nil
  end
  return {
    bufnr = bufnr,
    client_id = native.client_id,
    row = row,
    col = col,
    end_col = end_col,
    text = text,
    item = { insertText = text, command = native.command },
  }
end

--- What is left of a suggestion at the cursor, after its beginning has been typed.
---
---@param suggestion qwen_ls.Suggestion
---@return qwen_ls.Suggestion? # nil where anything else was done, or nothing is left
function M.rest(suggestion)
  if api.nvim_get_current_buf() ~= suggestion.bufnr then
    return nil
  end
  local row, col = unpack(api.nvim_win_get_cursor(0))
  if row - 1 ~= suggestion.row or col < suggestion.col then
    return nil
  end
  local typed = api.nvim_get_current_line():sub(suggestion.col + 1, col)
  if #typed >= #suggestion.text or not vim.startswith(suggestion.text, typed) then
    return nil
  end
  return M.after(suggestion, typed)
end

--- A suggestion whose first part has come to stand in the buffer.
---
---@param suggestion qwen_ls.Suggestion
---@param part string
---@return qwen_ls.Suggestion
function M.after(suggestion, part)
  local lines = vim.split(part, '\n', { plain = true })
  local col = #lines[#lines] + (#lines == 1 and suggestion.col or 0)
  return vim.tbl_extend('force', suggestion, {
    row = suggestion.row + #lines - 1,
    col = col,
    end_col = col + suggestion.end_col - suggestion.col,
    text = suggestion.text:sub(#part + 1),
  })
end

-- Parts of a text that can be accepted.

---@param text string
---@return string
function M.all(text)
  return text
end

--- The next word, by 'iskeyword', or the next signs, with the blanks and line ends before them.
---
---@param text string
---@return string
function M.word(text)
  local word = vim.fn.matchstr(text, [[^\_s*\%(\k\+\|\%(\k\@!\S\)\+\)]])
  return word ~= '' and word or text
end

--- The rest of the line; where that is empty, the next one with its line end.
---
---@param text string
---@return string
function M.line(text)
  return text:match('^\n*[^\n]*')
end

return M
