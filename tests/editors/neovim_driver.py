"""Neovim on a terminal, with the plugin as a package, asked through its own server what cannot be seen."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, ClassVar

from tests.editors.screen import EditorScreen
from tests.editors.stage import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.editors.stage import Stage

PLUGIN = ROOT / "editors" / "neovim"
KEYS = {
    "Tab": "\t",
    "Escape": "\x1b",
    "Alt-Right": "\x1b[1;3C",
    "Control-Alt-Right": "\x1b[1;7C",
    "Control-]": "\x1d",
    "Alt-]": "\x1b]",
    "Alt-\\": "\x1b\\",
}
# A user's file, with nothing of ours in it: a picture is taken, so that ghost text is told by being italic.
INIT = """
vim.o.swapfile = false
vim.o.termguicolors = true
vim.o.statusline = ' %t  %{%v:lua.require("qwen_ls").statusline()%}'
vim.opt.fillchars = { eob = ' ' }
vim.g.loaded_python3_provider = 0 -- looking for it starts Pythons
vim.api.nvim_set_hl(0, 'ComplHint', { fg = '#7f8797', italic = true })
"""


class Neovim:
    """The driver."""

    lacks: ClassVar[Mapping[Any, str]] = {}
    changed: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init__(self, stage: Stage, folder: Path, init: str = INIT) -> None:
        self.stage, self.program = stage, folder / "bin" / "nvim"
        self.config = stage.home / "config" / "nvim"
        self.config.mkdir(parents=True)
        (self.config / "init.lua").write_text(init, "utf-8")
        self.package = stage.home / "data" / "nvim" / "site" / "pack" / "qwen" / "start" / "qwen-ls"
        self.package.parent.mkdir(parents=True)
        self.package.symlink_to(PLUGIN)
        self._socket = stage.folder / "nvim.sock"
        self.screen: EditorScreen | None = None

    def open(self, path: Path, line: int, column: int) -> None:
        self.start(path)
        self.wait(lambda: self.lua("(vim.lsp.get_clients({ bufnr = 0 })[1] or {}).initialized") is True)
        self.go(line, column)

    def start(self, path: Path) -> None:
        """Start Neovim with a file."""
        command = [str(self.program), "--listen", str(self._socket), path.name]
        self.screen = EditorScreen(
            command,
            is_ghost=lambda cell: cell.italics,
            environ=self.stage.environ,
            cwd=path.parent,
        )
        self.wait(lambda: self._socket.exists() and self.ask("v:vim_did_enter") == 1)

    def go(self, line: int, column: int) -> None:
        """Begin to insert at a place."""
        self.ask(f"setcursorcharpos({line + 1}, {column + 1})")
        self.screen.send("A" if column == self.ask("strchars(getline('.'))") else "i")
        self.wait(lambda: self.ask("mode()") == "i")

    def ask(self, expression: str) -> Any:
        """The value of a Vim expression."""
        command = [self.program, "--server", self._socket, "--remote-expr", f"json_encode({expression})"]
        status, answer = self.screen.run(command, self.stage.environ)
        return json.loads(answer) if status == 0 else None

    def lua(self, expression: str) -> Any:
        """The value of a Lua expression."""
        return self.ask(f"luaeval({json.dumps(expression)})")

    def type(self, text: str) -> None:
        self.screen.type(text)

    def press(self, key: str) -> None:
        self.screen.send(KEYS[key])

    def see(self, ghost: str) -> None:
        """Wait for this ghost text."""
        self.wait(lambda: self.ghost_on_screen() == ghost)

    def ghost_on_screen(self) -> str:
        return self.screen.ghost

    def text_on_screen(self) -> list[str]:
        return self.screen.lines[:-2]

    def words_on_screen(self) -> str:
        """All that the screen shows, in one line, without frames."""
        return " ".join(re.sub(r"[╭─╮│╰╯~]", " ", self.screen.text).split())

    def accept(self) -> None:
        self.press("Tab")

    def accept_word(self) -> None:
        self.press("Alt-Right")

    def accept_line(self) -> None:
        self.press("Control-Alt-Right")

    def dismiss(self) -> None:
        self.press("Control-]")

    def undo(self) -> None:
        self.normal()
        self.screen.send("u")

    def normal(self) -> None:
        """Go to normal mode."""
        self.press("Escape")
        self.wait(lambda: self.ask("mode()") == "n")

    def save(self) -> None:
        self.normal()
        self.screen.send(":write\r")
        self.wait(lambda: self.ask("&modified") == 0)

    def messages(self) -> list[str]:
        return [notice["text"] for notice in self.lua("require('qwen_ls.notice').history") or []]

    def wait(self, condition: Callable[[], Any]) -> None:
        self.screen.wait(condition, each=self._no_prompt)

    def rest(self, seconds: float) -> None:
        self.screen.rest(seconds)
        self._no_prompt()

    def _no_prompt(self) -> None:
        assert "Press ENTER" not in self.screen.text, self.screen.text

    def screenshot(self, path: Path) -> None:
        self.screen.save_picture(path, f"Neovim {self.stage.editor.rpartition('-')[2]} with qwen-ls")

    def kill_server(self) -> None:
        before = len(self.stage.server_pids)
        self.stage.kill_server()
        self.wait(lambda: len(self.stage.server_pids) > before)

    def change_settings(self, settings: Mapping[str, Any]) -> None:
        self.lua(f"require('qwen_ls').set(vim.json.decode([[{json.dumps(dict(settings))}]]))")

    def toggle(self) -> None:
        self.lua("require('qwen_ls').toggle()")

    def quit(self) -> None:
        if self.screen is None:
            return
        if self.screen.process.poll() is None:
            self.screen.send("\x1c\x0e:qall!\r")  # CTRL-\ CTRL-N: to normal mode from wherever
            self.screen.ended()
        self.screen.__exit__()
        self.screen = None
