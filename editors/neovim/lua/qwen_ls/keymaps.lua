--- The keys, which are those of copilot.vim. `vim.g.qwen_ls = { keymaps = ... }` changes them.

local M = {}

---@class qwen_ls.Keymaps
---@field accept? string|false
---@field accept_word? string|false
---@field accept_line? string|false
---@field dismiss? string|false
---@field next? string|false
---@field previous? string|false
---@field request? string|false

---@type qwen_ls.Keymaps
local DEFAULTS = {
  accept = '<Tab>',
  accept_word = '<M-Right>',
  accept_line = '<M-C-Right>',
  dismiss = '<C-]>',
  next = '<M-]>',
  previous = '<M-[>',
  request = '<M-Bslash>',
}

--- What each key does; false: it was not for us.
---
---@type table<string, fun(before: string): boolean?>
local ACTIONS = {
  accept = function(before)
    return require('qwen_ls').accept({ otherwise = before })
  end,
  accept_word = function(before)
    return require('qwen_ls').accept_word({ otherwise = before })
  end,
  accept_line = function(before)
    return require('qwen_ls').accept_line({ otherwise = before })
  end,
  dismiss = function()
    return require('qwen_ls').dismiss()
  end,
  next = function()
    vim.schedule(function()
      require('qwen_ls').select(1)
    end)
  end,
  previous = function()
    vim.schedule(function()
      require('qwen_ls').select(-1)
    end)
  end,
  request = function()
    vim.schedule(require('qwen_ls').request)
  end,
}

--- Keep what a key did before it was ours, whatever kind of mapping that was, at a name of its own.
---
---@param name string of the action that takes the key
---@param lhs string
---@return string # the keys that do it: that name, or the key itself
local function keep(name, lhs)
  local before = vim.fn.maparg(lhs, 'i', false, true)
  if vim.tbl_isempty(before) then
    return lhs
  end
  local kept = ('<Plug>(qwen-ls-before-%s)'):format(name)
  before.lhs, before.lhsraw, before.lhsrawalt = kept, vim.keycode(kept), nil
  before.buffer, before.abbr = 0, 0
  vim.fn.mapset(before)
  return kept
end

--- The keys in force.
---
---@return qwen_ls.Keymaps
function M.get()
  local config = vim.g.qwen_ls or {}
  return config.keymaps == false and {} or vim.tbl_extend('force', DEFAULTS, config.keymaps or {})
end

--- Map the keys in insert mode.
function M.setup()
  for name, lhs in pairs(M.get()) do
    if lhs then
      local before = keep(name, lhs)
      vim.keymap.set('i', lhs, function()
        if ACTIONS[name](before) == false then
          return before
        end
      end, {
        expr = true,
        remap = before ~= lhs,
        silent = true,
        desc = 'qwen-ls: ' .. name:gsub('_', ' '),
      })
    end
  end
end

return M
