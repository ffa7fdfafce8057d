"""qwen-ls: Qwen's code completions as ghost text in every editor that speaks LSP."""

__version__ = "0.1.0"
