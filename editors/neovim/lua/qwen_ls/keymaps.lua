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
---@type table<string, fun(lhs: string): boolean?>
local ACTIONS = {
  accept = function(lhs)
    return require('qwen_ls').accept({ otherwise = lhs })
  end,
  accept_word = function(lhs)
    return require('qwen_ls').accept_word({ otherwise = lhs })
  end,
  accept_line = function(lhs)
    return require('qwen_ls').accept_line({ otherwise = lhs })
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

--- What a key did before it was ours, as keys for a mapping with <expr>.
---
---@param lhs string
---@param before table<string, any> what |maparg()| says
---@return string
local function fallback(lhs, before)
  if before.expr == 1 then
    return before.callback and before.callback() or vim.api.nvim_eval(before.rhs)
  elseif before.callback then
    vim.schedule(before.callback)
    return ''
  end
  return before.rhs or lhs
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
      local before = vim.fn.maparg(lhs, 'i', false, true)
      vim.keymap.set('i', lhs, function()
        if ACTIONS[name](lhs) == false then
          return fallback(lhs, before)
        end
      end, { expr = true, silent = true, desc = 'qwen-ls: ' .. name:gsub('_', ' ') })
    end
  end
end

return M
