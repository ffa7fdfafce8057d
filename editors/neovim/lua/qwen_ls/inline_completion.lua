--- What Neovim 0.12 has as |vim.lsp.inline_completion|, for 0.11: the functions of it that this plugin uses.

local ghost = require('qwen_ls.ghost')
local request = require('qwen_ls.request')

local api = vim.api

local M = {}

--- As long as Neovim 0.12 waits for the next key.
local DEBOUNCE_MS = 200

local timer = assert(vim.uv.new_timer())
local enabled = false

local function stop()
  timer:stop()
  request.cancel(api.nvim_get_current_buf())
end

local function ask_soon()
  timer:start(
    DEBOUNCE_MS,
    0,
    vim.schedule_wrap(function()
      if enabled and vim.startswith(api.nvim_get_mode().mode, 'i') then
        request.send(request.AUTOMATIC)
      end
    end)
  )
end

---@return boolean
function M.is_enabled()
  return enabled
end

---@param enable? boolean true or nil to enable, false to disable
function M.enable(enable)
  enabled = enable ~= false
  local group = api.nvim_create_augroup('qwen_ls.inline_completion', { clear = true })
  if not enabled then
    stop()
    ghost.hide(api.nvim_get_current_buf())
    return
  end
  api.nvim_create_autocmd({ 'InsertEnter', 'CursorMovedI', 'TextChangedP' }, {
    group = group,
    callback = function(args)
      if request.clients(args.buf)[1] then
        ask_soon()
      end
    end,
  })
  api.nvim_create_autocmd('InsertLeave', { group = group, callback = stop })
  if vim.startswith(api.nvim_get_mode().mode, 'i') then
    ask_soon()
  end
end

---@param opts { count: integer }
function M.select(opts)
  ghost.select(api.nvim_get_current_buf(), opts.count)
end

--- The plugin looks at its own ghost text first, and on 0.11 there is no other. As on 0.12, whatever is on its
--- way is not wanted any more.
---
---@return boolean
function M.get()
  stop()
  return false
end

return M
