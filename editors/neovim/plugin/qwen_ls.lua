if vim.g.loaded_qwen_ls then
  return
end
vim.g.loaded_qwen_ls = true

if vim.fn.has('nvim-0.11') == 0 then
  vim.notify_once('qwen-ls needs Neovim 0.11 or later', vim.log.levels.ERROR)
  return
end

vim.api.nvim_create_user_command('QwenLs', function(args)
  require('qwen_ls.command').run(args.fargs)
end, {
  nargs = '+',
  desc = 'qwen-ls: toggle, explain, and the rest',
  complete = function(lead)
    return require('qwen_ls.command').complete(lead)
  end,
})

require('qwen_ls').setup()
