--- What the server wants you to read: in a corner, whole, and never with a prompt for ENTER.

local api = vim.api

local M = {}

local WIDTH = 56
local SHOWN_MS = 12000

---@class qwen_ls.Notice
---@field level integer of |vim.log.levels|
---@field text string

---@type qwen_ls.Notice[] all that were shown, the newest last
M.history = {}

--- By LSP's `MessageType`, from 1.
local LEVELS = { vim.log.levels.ERROR, vim.log.levels.WARN, vim.log.levels.INFO, vim.log.levels.DEBUG }

local HIGHLIGHTS = {
  [vim.log.levels.ERROR] = 'DiagnosticError',
  [vim.log.levels.WARN] = 'DiagnosticWarn',
}

--- Break a text into lines between words.
---
---@param text string
---@param width integer in cells
---@return string[]
local function wrap(text, width)
  local lines = { '' }
  for word in text:gmatch('%S+') do
    local longer = lines[#lines] == '' and word or lines[#lines] .. ' ' .. word
    if vim.fn.strdisplaywidth(longer) <= width or lines[#lines] == '' then
      lines[#lines] = longer
    else
      lines[#lines + 1] = word
    end
  end
  return lines
end

--- A window in the corner that takes no focus and goes away by itself.
---
---@param notice qwen_ls.Notice
local function float(notice)
  local lines = wrap(notice.text, math.min(WIDTH, vim.o.columns - 4))
  local width = 1
  for _, line in ipairs(lines) do
    width = math.max(width, vim.fn.strdisplaywidth(line))
  end
  local bufnr = api.nvim_create_buf(false, true)
  vim.bo[bufnr].bufhidden = 'wipe'
  api.nvim_buf_set_lines(bufnr, 0, -1, false, lines)
  local highlight = HIGHLIGHTS[notice.level] or 'DiagnosticInfo'
  local win = api.nvim_open_win(bufnr, false, {
    relative = 'editor',
    anchor = 'SE',
    row = vim.o.lines - vim.o.cmdheight - (vim.o.laststatus > 0 and 1 or 0),
    col = vim.o.columns,
    width = math.min(width, vim.o.columns - 4),
    height = #lines,
    style = 'minimal',
    border = 'rounded',
    title = { { ' qwen-ls ', highlight } },
    focusable = false,
    noautocmd = true,
  })
  vim.wo[win].winhighlight = 'NormalFloat:Normal,FloatBorder:' .. highlight
  vim.wo[win].wrap = true
  vim.defer_fn(function()
    if api.nvim_win_is_valid(win) then
      api.nvim_win_close(win, true)
    end
  end, SHOWN_MS)
end

--- Show a text; by |vim.notify()| where you have one of your own, which knows better how.
---
---@param text string
---@param level integer of |vim.log.levels|
function M.show(text, level)
  local notice = { level = level, text = text }
  table.insert(M.history, notice)
  -- Neovim's own functions have no file, or one of its own.
  local source = debug.getinfo(vim.notify, 'S').source
  local is_builtin = not source:find('^@') or source:find('^@vim/_') ~= nil
  if is_builtin then
    float(notice)
  else
    vim.notify(text, level, { title = 'qwen-ls' })
  end
end

--- The handler of `window/showMessage`.
---
---@param _ lsp.ResponseError?
---@param params lsp.ShowMessageParams
---@return lsp.ShowMessageParams
function M.on_message(_, params)
  M.show(params.message, LEVELS[params.type] or vim.log.levels.INFO)
  return params
end

return M
