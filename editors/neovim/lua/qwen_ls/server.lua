--- The server's process: started where it can be, told in one line when it has died, and started again.

local ghost = require('qwen_ls.ghost')
local notice = require('qwen_ls.notice')
local request = require('qwen_ls.request')
local suggestion = require('qwen_ls.suggestion')

local M = {}

--- The program that is run, unless you have set a function.
---
---@type string?
M.program = nil

--- As VS Code has it: a server that dies more often than this is left alone.
local MAX_STARTS, WITHIN_S = 4, 180
local RESTART_MS = 300

---@type number[] when it died, in seconds
local deaths = {}

local function died()
  if vim.v.exiting ~= vim.NIL then
    return
  end
  local now = vim.uv.now() / 1000
  deaths = vim.tbl_filter(function(at)
    return now - at < WITHIN_S
  end, deaths)
  deaths[#deaths + 1] = now
  if #deaths > MAX_STARTS then
    notice.show(
      ('The server has ended %d times within %d minutes and is not started again. '):format(
        #deaths,
        WITHIN_S / 60
      ) .. '`:QwenLs log` has its last words, `:QwenLs restart` tries once more.',
      vim.log.levels.ERROR
    )
    return
  end
  vim.defer_fn(M.start, RESTART_MS)
end

--- A transport that runs a command. It notes what a request is about, which Neovim does not, and it keeps
--- the exit code of a server that died from Neovim, whose message about it does not fit on a line, and so
--- would wait for ENTER in the middle of your typing.
---
---@param cmd string[]
---@return fun(dispatchers: vim.lsp.rpc.Dispatchers, config: vim.lsp.ClientConfig): vim.lsp.rpc.PublicClient
local function transport(cmd)
  return function(dispatchers, config)
    local on_exit = dispatchers.on_exit
    dispatchers.on_exit = function(code, signal)
      local is_death = code ~= 0 or (signal ~= 0 and signal ~= 15)
      on_exit(is_death and 0 or code, is_death and 0 or signal)
      if is_death then
        vim.schedule(died)
      end
    end
    local rpc = vim.lsp.rpc.start(cmd, dispatchers, {
      cwd = config.cmd_cwd,
      env = config.cmd_env,
      detached = config.detached,
    })
    local send = rpc.request
    rpc.request = function(method, params, callback, ...)
      if method == request.METHOD then
        callback = suggestion.remembering_tail(callback)
      end
      return send(method, params, callback, ...)
    end
    return rpc
  end
end

--- Start the server for the buffers that have none.
function M.start()
  vim.lsp.enable('qwen_ls')
end

--- Stop the server, and start it again.
function M.restart()
  deaths = {}
  for _, client in ipairs(vim.lsp.get_clients({ name = 'qwen_ls' })) do
    client:stop(true)
  end
  vim.defer_fn(M.start, RESTART_MS)
end

--- Connect the server's messages, and start it.
function M.setup()
  local config = vim.lsp.config.qwen_ls
  local cmd = config.cmd
  if type(cmd) == 'table' then
    M.program = cmd[1]
    if vim.fn.executable(cmd[1]) == 0 then
      vim.schedule(function()
        notice.show(
          ('There is no `%s` on the PATH. Install it with `pipx install qwen-ls`, '):format(cmd[1])
            .. 'then start Neovim again; `:checkhealth qwen_ls` says more.',
          vim.log.levels.WARN
        )
      end)
      return
    end
    vim.lsp.config('qwen_ls', { cmd = transport(cmd) })
  end
  vim.lsp.config('qwen_ls', {
    handlers = vim.tbl_extend('keep', config.handlers or {}, {
      ['window/showMessage'] = notice.on_message,
      ['didChangeStatus'] = require('qwen_ls.status').on_change,
    }),
  })

  local group = vim.api.nvim_create_augroup('qwen_ls.server', {})
  if vim.lsp.inline_completion then
    vim.api.nvim_create_autocmd('LspRequest', {
      group = group,
      desc = 'What Neovim shows replaces what the plugin has shown',
      callback = function(args)
        local asked = args.data.request
        if asked.method == request.METHOD and asked.type == 'complete' then
          ghost.hide(args.buf)
        end
      end,
    })
  end
  vim.api.nvim_create_autocmd('LspAttach', {
    group = group,
    desc = 'A server that comes while text is being typed is asked at once',
    callback = function(args)
      local client = vim.lsp.get_client_by_id(args.data.client_id)
      local is_here = args.buf == vim.api.nvim_get_current_buf()
      if client and client.name == 'qwen_ls' and is_here and vim.fn.mode() == 'i' then
        request.send(request.AUTOMATIC)
      end
    end,
  })
  M.start()
end

return M
