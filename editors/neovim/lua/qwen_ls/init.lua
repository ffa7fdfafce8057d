--- qwen-ls in Neovim: accepting suggestions, by the whole, the word or the line, and what goes with that.
---
--- On 0.12 |vim.lsp.inline_completion| asks and shows. On 0.11 `qwen_ls.inline_completion` does.

local accept = require('qwen_ls.accept')
local ghost = require('qwen_ls.ghost')
local request = require('qwen_ls.request')
local suggestion = require('qwen_ls.suggestion')

local api = vim.api

local M = {}

local native = vim.lsp.inline_completion
local inline_completion = native or require('qwen_ls.inline_completion')

---@class qwen_ls.AcceptOpts
---
--- Keys to type where what is shown turns out not to fit what has been typed.
---@field otherwise? string

--- How long text may take to change, at most, before the next key is taken.
local SETTLE_MS = 1000

--- Do what is scheduled so far. For |<Cmd>|, which may change text.
function M.settle()
  local is_done = false
  vim.schedule(function()
    is_done = true
  end)
  vim.wait(SETTLE_MS, function()
    return is_done
  end, 1)
end

--- Have it done before the next key, which may be waiting: keys come together over a slow line.
--- The menu of insert mode is closed, and keeps what is there: it would put its own back over it.
local function settle_before_next_key()
  local close = vim.fn.pumvisible() == 1 and '<C-x><C-z>' or ''
  api.nvim_feedkeys(vim.keycode(close .. '<Cmd>lua require("qwen_ls").settle()<CR>'), 'in', false)
end

--- Whatever Neovim itself shows goes off the screen, after `on_item` has seen it.
---
--- Neovim 0.12.4 would insert it at the place of the last answer, and leave what was typed since then behind,
--- or fail where text was deleted. So it never inserts: |qwen_ls.accept| does.
---
---@param on_item fun(item: vim.lsp.inline_completion.Item)
---@return boolean # whether there is anything
local function take_native(on_item)
  return inline_completion.get({
    on_accept = function(item)
      on_item(item)
      return nil
    end,
  })
end

---@param take fun(text: string): string
---@param opts? qwen_ls.AcceptOpts
---@return boolean
local function accept_part(take, opts)
  local bufnr = api.nvim_get_current_buf()
  if ghost.current(bufnr) then
    -- A mapping with <expr> must not change text before it has returned.
    vim.schedule(function()
      local current = ghost.current(bufnr)
      if current then
        accept.insert(current, take)
      end
    end)
    settle_before_next_key()
    return true
  end
  local is_shown = take_native(function(item)
    local shown = suggestion.from_native(item, bufnr)
    local rest = shown and suggestion.rest(shown)
    if rest then
      accept.insert(rest, take)
    elseif opts and opts.otherwise then
      api.nvim_feedkeys(vim.keycode(opts.otherwise), 'im', false)
    end
  end)
  if is_shown then
    settle_before_next_key()
  end
  return is_shown
end

--- Accept what is shown. Fit for a mapping with <expr>: text changes after it has returned.
---
---@param opts? qwen_ls.AcceptOpts
---@return boolean # whether anything is shown
function M.accept(opts)
  return accept_part(suggestion.all, opts)
end

--- Accept the next word of what is shown.
---
---@param opts? qwen_ls.AcceptOpts
---@return boolean # whether anything is shown
function M.accept_word(opts)
  return accept_part(suggestion.word, opts)
end

--- Accept the rest of the line of what is shown.
---
---@param opts? qwen_ls.AcceptOpts
---@return boolean # whether anything is shown
function M.accept_line(opts)
  return accept_part(suggestion.line, opts)
end

--- Take what is shown off the screen, and tell the server; nothing comes in its place before the cursor moves.
---
---@return boolean # whether anything was shown
function M.dismiss()
  local bufnr = api.nvim_get_current_buf()
  local ours = ghost.current(bufnr)
  ghost.hide(bufnr)
  request.cancel(bufnr)
  if ours then
    accept.tell_dismissed(ours)
  end
  local is_native = take_native(function(item)
    local shown = suggestion.from_native(item, bufnr)
    if shown then
      accept.tell_dismissed(shown)
    end
  end)
  if is_native then
    settle_before_next_key()
  end
  return is_native or ours ~= nil
end

--- Show another suggestion, where there are several.
---
---@param count? integer how many further (default: 1); negative: back
function M.select(count)
  inline_completion.select({ count = count or 1 })
end

--- Ask for a suggestion now, also where none comes by itself.
function M.request()
  take_native(function() end)
  request.send(request.INVOKED)
end

--- Whether suggestions come while you type.
---
---@return boolean
function M.is_enabled()
  return inline_completion.is_enabled()
end

--- Switch suggestions on or off, in all buffers.
---
---@param enable? boolean true or nil to enable
function M.enable(enable)
  ghost.hide(api.nvim_get_current_buf())
  inline_completion.enable(enable)
  vim.cmd.redrawstatus({ bang = true })
end

--- Switch suggestions off, or on again.
---
---@return boolean # whether they are on now
function M.toggle()
  M.enable(not M.is_enabled())
  return M.is_enabled()
end

--- Change settings of the server, until Neovim ends; see |qwen-ls-settings|.
---
---@param settings table<string, any>
function M.set(settings)
  vim.lsp.config('qwen_ls', { settings = { ['qwen-ls'] = settings } })
  for _, client in ipairs(vim.lsp.get_clients({ name = 'qwen_ls' })) do
    client.settings = vim.tbl_deep_extend('force', client.settings, { ['qwen-ls'] = settings })
    client:notify('workspace/didChangeConfiguration', { settings = client.settings })
  end
end

--- A part for the statusline; see |qwen-ls-statusline|.
---
---@return string
function M.statusline()
  return require('qwen_ls.status').text()
end

--- Connect everything. `plugin/qwen_ls.lua` has called it.
function M.setup()
  ghost.setup()
  require('qwen_ls.keymaps').setup()
  require('qwen_ls.server').setup()
  inline_completion.enable()
end

return M
