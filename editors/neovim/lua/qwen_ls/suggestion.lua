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
---@field tail? string what stood after the cursor, to the line's end, when it was asked for
---@field item qwen_ls.Item what the server knows it by

---@class qwen_ls.Item
---@field insertText string
---@field command? lsp.Command

---@type table<integer, string?> by buffer: the tail for the answer that is shown
local tails = {}

--- A callback for an answer that remembers what stands after the cursor now, when it is asked for.
---
---@param callback fun(err?: lsp.ResponseError, result: any)
---@return fun(err?: lsp.ResponseError, result: any)
function M.remembering_tail(callback)
  local bufnr = api.nvim_get_current_buf()
  local tail = api.nvim_get_current_line():sub(api.nvim_win_get_cursor(0)[2] + 1)
  return function(err, result)
    if result then
      tails[bufnr] = tail
    end
    callback(err, result)
  end
end

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
        tail = tails[bufnr],
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
    tail = tails[bufnr],
    item = { insertText = text, command = native.command },
  }
end

--- Whether a text closes what these close: brackets that it has not opened itself, or a quote at its end.
---
---@param text string
---@param closers string
---@return boolean
local function brings(text, closers)
  local depth, closing = 0, ''
  for sign in text:gmatch('[%(%)%[%]{}]') do
    if sign:find('[%(%[{]') then
      depth = depth + 1
    elseif depth > 0 then
      depth = depth - 1
    else
      closing = closing .. sign
    end
  end
  return vim.startswith(closing, closers) or vim.endswith(text, closers)
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
  local line = api.nvim_get_current_line()
  local typed = line:sub(suggestion.col + 1, col)
  if #typed >= #suggestion.text or not vim.startswith(suggestion.text, typed) then
    return nil
  end
  local rest = M.after(suggestion, typed)
  local tail = line:sub(col + 1)
  local closers = tail:sub(1, math.max(0, #tail - #(suggestion.tail or tail)))
  if closers:find('^[%)%]}"\'`]+$') and brings(rest.text, closers) then
    -- They were typed for you since then, and the suggestion has them too.
    rest.end_col = rest.end_col + #closers
  end
  rest.tail = tail
  return rest
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
