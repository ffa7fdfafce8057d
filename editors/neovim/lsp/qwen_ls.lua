--- https://pypi.org/project/qwen-ls
---
--- Inline completions of Qwen models. Neovim 0.12 shows them with |lsp-inline_completion|; the plugin that
--- this file comes with adds what is missing there, and does the showing on 0.11.
---
--- Settings, as in `qwen-ls config --schema`:
---
--- ```lua
--- vim.lsp.config('qwen_ls', { settings = { ['qwen-ls'] = { maxLines = 8 } } })
--- ```

---@type vim.lsp.Config
return {
  cmd = { 'qwen-ls', '--stdio' },
  root_markers = { '.qwen-ls.toml', '.git' },
}
