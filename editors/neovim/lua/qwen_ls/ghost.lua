--- Ghost text that the plugin draws itself: all of it on Neovim 0.11; on 0.12 what
--- |vim.lsp.inline_completion| has no function for, until its next answer comes.

local suggestion = require('qwen_ls.suggestion')

local api = vim.api

local M = {}

local namespace = api.nvim_create_namespace('qwen_ls')

---@class qwen_ls.Shown
---@field choices qwen_ls.Suggestion[]
---@field index integer

---@type table<integer, qwen_ls.Shown?> by buffer
local shown = {}

--- What is left of the suggestion that is shown in a buffer.
---
---@param bufnr integer
---@return qwen_ls.Suggestion?
function M.current(bufnr)
  local here = shown[bufnr]
  return here and suggestion.rest(here.choices[here.index])
end

--- Take the ghost text off the screen.
---
---@param bufnr integer
function M.hide(bufnr)
  if shown[bufnr] then
    shown[bufnr] = nil
    if api.nvim_buf_is_valid(bufnr) then
      api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
    end
  end
end

---@param rest qwen_ls.Suggestion
---@param hint? string drawn after it
local function draw(rest, hint)
  local lines = {} ---@type [string, string][][]
  for line in vim.gsplit(rest.text, '\n', { plain = true }) do
    lines[#lines + 1] = { { line, 'ComplHint' } }
  end
  if hint then
    table.insert(lines[#lines], { hint, 'ComplHintMore' })
  end
  api.nvim_buf_clear_namespace(rest.bufnr, namespace, 0, -1)
  api.nvim_buf_set_extmark(rest.bufnr, namespace, rest.row, rest.col, {
    virt_text = lines[1],
    virt_text_pos = rest.end_col > rest.col and 'overlay' or 'inline',
    virt_lines = vim.list_slice(lines, 2),
    hl_mode = 'combine',
  })
end

--- Draw what is left of the suggestion, or take it off the screen.
---
---@param bufnr integer
function M.refresh(bufnr)
  local rest = M.current(bufnr)
  if rest then
    draw(rest)
  else
    M.hide(bufnr)
  end
end

--- Show the first of some suggestions.
---
---@param bufnr integer
---@param choices qwen_ls.Suggestion[]
function M.show(bufnr, choices)
  M.hide(bufnr)
  if choices[1] then
    shown[bufnr] = { choices = choices, index = 1 }
    M.refresh(bufnr)
  end
end

--- Show another of the suggestions that still fit.
---
---@param bufnr integer
---@param count integer how many further; negative: back
function M.select(bufnr, count)
  local here = shown[bufnr]
  if not here then
    return
  end
  local n = #here.choices
  here.index = (here.index - 1 + count) % n + 1
  local rest = M.current(bufnr)
  if rest then
    draw(rest, (' (%d/%d)'):format(here.index, n))
  end
end

--- Neovim 0.11 does not have the groups that 0.12 draws with.
local function set_highlights()
  api.nvim_set_hl(0, 'ComplHint', { default = true, link = 'NonText' })
  api.nvim_set_hl(0, 'ComplHintMore', { default = true, link = 'MoreMsg' })
end

--- Keep the ghost text true to what the user does.
function M.setup()
  local group = api.nvim_create_augroup('qwen_ls.ghost', {})
  set_highlights()
  api.nvim_create_autocmd('ColorScheme', { group = group, callback = set_highlights })
  api.nvim_create_autocmd({ 'CursorMovedI', 'TextChangedI', 'TextChangedP' }, {
    group = group,
    callback = function(args)
      if shown[args.buf] then
        M.refresh(args.buf)
      end
    end,
  })
  api.nvim_create_autocmd({ 'InsertLeave', 'BufLeave', 'BufUnload' }, {
    group = group,
    callback = function(args)
      M.hide(args.buf)
    end,
  })
end

return M
