--- `:QwenLs`.

local notice = require('qwen_ls.notice')

local M = {}

--- Show lines in a window that closes when the cursor moves.
---
---@param lines string[]
---@param syntax string
local function preview(lines, syntax)
  vim.lsp.util.open_floating_preview(lines, syntax, { border = 'rounded', title = ' qwen-ls ', wrap = true })
end

--- Show a line below, if it fits there.
---
---@param line string
local function echo(line)
  line = 'qwen-ls: ' .. line
  if vim.fn.strdisplaywidth(line) <= vim.v.echospace then
    vim.api.nvim_echo({ { line } }, true, {})
  else
    preview({ line }, 'text')
  end
end

--- Run one of the server's commands and give its result to `show`.
---
---@param name string
---@param show? fun(result: any)
---@param arguments? any[]
local function ask_server(name, show, arguments)
  local client = vim.lsp.get_clients({ bufnr = 0, name = 'qwen_ls' })[1]
  if not client then
    echo('no server at this buffer; see :checkhealth qwen_ls')
    return
  end
  client:exec_cmd({ title = name, command = name, arguments = arguments }, { bufnr = 0 }, function(_, result)
    if show then
      show(result)
    end
  end)
end

---@type table<string, fun(argument?: string)>
local COMMANDS = {
  toggle = function()
    echo(require('qwen_ls').toggle() and 'on' or 'off')
  end,
  status = function()
    ask_server('qwen-ls.status', function(status)
      echo(vim.trim(status.kind .. ' ' .. status.text))
    end)
  end,
  explain = function(what)
    ask_server('qwen-ls.explain', function(document)
      preview(vim.split(document, '\n'), 'markdown')
    end, { { as = 'markdown', prompt = what == 'prompt' } })
  end,
  messages = function()
    local texts = vim.tbl_map(function(message)
      return message.text
    end, notice.history)
    preview(texts[1] and texts or { 'no messages' }, 'text')
  end,
  clear = function()
    ask_server('qwen-ls.clearCache')
  end,
  restart = function()
    require('qwen_ls.server').restart()
  end,
  log = function()
    vim.cmd.tabedit({ vim.lsp.log.get_filename(), magic = { file = false } })
    vim.cmd.normal({ 'G', bang = true })
  end,
}

---@param words string[]
function M.run(words)
  local command = COMMANDS[words[1]]
  if command then
    command(words[2])
  else
    echo('there is ' .. table.concat(M.complete(''), ', '))
  end
end

---@param lead string
---@return string[]
function M.complete(lead)
  local names = vim.tbl_filter(function(name)
    return vim.startswith(name, lead)
  end, vim.tbl_keys(COMMANDS))
  table.sort(names)
  return names
end

return M
