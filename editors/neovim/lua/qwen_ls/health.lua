--- `:checkhealth qwen_ls`.

local M = {}

local health = vim.health

--- How long the server may take to say how it is.
local ANSWER_MS = 5000

local function check_neovim()
  health.start('Neovim')
  local version = tostring(vim.version())
  if vim.lsp.inline_completion then
    health.ok(version .. ': ghost text by vim.lsp.inline_completion')
  elseif vim.fn.has('nvim-0.11') == 1 then
    health.ok(version .. ': ghost text by this plugin; 0.12 has its own')
  else
    health.error(version .. ' is too old', 'Install Neovim 0.11 or later')
  end
end

local function check_program()
  health.start('Server')
  local program = require('qwen_ls.server').program
  if program and vim.fn.executable(program) == 0 then
    health.error(('there is no %s on the PATH'):format(program), {
      'pipx install qwen-ls',
      "or name another: vim.lsp.config('qwen_ls', { cmd = { '/path/to/qwen-ls', '--stdio' } })",
    })
    return
  end
  health.ok(program and vim.fn.exepath(program) or 'started by a function of yours')
  health.info('key, host and model are checked by: qwen-ls doctor')
  local clients = vim.lsp.get_clients({ name = 'qwen_ls' })
  if #clients == 0 then
    health.warn('it does not run', 'Open a file; :QwenLs log has what it said')
  end
  for _, client in ipairs(clients) do
    local version = client.server_info and client.server_info.version or 'of an unknown version'
    health.ok(('runs: %s, in %s'):format(version, client.root_dir or 'no project'))
    local answer, problem =
      client:request_sync('workspace/executeCommand', { command = 'qwen-ls.status' }, ANSWER_MS)
    local status = answer and answer.result
    if not answer or not status then
      problem = problem or answer and answer.err and answer.err.message or 'nothing came'
      health.error('it does not answer: ' .. problem, ':QwenLs restart')
    elseif status.kind == 'ready' or status.kind == 'thinking' then
      health.ok('status: ' .. status.kind)
    else
      health.warn(('status: %s. %s'):format(status.kind, status.text), ':QwenLs messages')
    end
  end
end

local function check_keys()
  health.start('Keys')
  local names = {} ---@type string[]
  local keymaps = require('qwen_ls.keymaps').get()
  for name in pairs(keymaps) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local lhs = keymaps[name]
    if lhs then
      local mapped = vim.fn.maparg(lhs, 'i', false, true)
      if vim.startswith(mapped.desc or '', 'qwen-ls: ') then
        health.ok(('%s: %s'):format(lhs, name))
      else
        health.warn(('%s is mapped to something else'):format(lhs), {
          ('call require("qwen_ls").%s() in a mapping of your own, or'):format(name),
          'choose another key: :help qwen-ls-keys',
        })
      end
    end
  end
end

--- What |:checkhealth| calls.
function M.check()
  check_neovim()
  check_program()
  check_keys()
end

return M
