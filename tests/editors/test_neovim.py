"""Neovim, the real one, with the plugin installed as a package."""

from __future__ import annotations

import contextlib
import json
import subprocess
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tests.editors.playing import play, playable
from tests.editors.screen import EditorScreen
from tests.editors.stage import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.editors.scenarios import Scenario
    from tests.editors.stage import Stage

pytestmark = pytest.mark.editors

VERSIONS = ("neovim-0.12.4", "neovim-0.11.4")
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
vim.o.laststatus = 2
vim.g.loaded_python3_provider = 0 -- looking for it starts Pythons
vim.api.nvim_set_hl(0, 'ComplHint', { fg = '#7f8797', italic = true })
"""


class Neovim:
    """The driver."""

    lacks: ClassVar[Mapping[Any, str]] = {}
    changed: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init__(self, stage: Stage, folder: Path, init: str = INIT) -> None:
        self.stage, self.program = stage, folder / "bin" / "nvim"
        config = stage.home / "config" / "nvim" / "init.lua"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(init, "utf-8")
        package = stage.home / "data" / "nvim" / "site" / "pack" / "qwen" / "start" / "qwen-ls"
        package.parent.mkdir(parents=True, exist_ok=True)
        package.symlink_to(PLUGIN)
        self._socket = stage.folder / "nvim.sock"
        self.screen: EditorScreen

    def open(self, path: Path, line: int, column: int) -> None:
        command = [str(self.program), "--listen", str(self._socket), path.name]
        self.screen = EditorScreen(
            command,
            is_ghost=lambda cell: cell.italics,
            environ=self.stage.environ,
            cwd=path.parent,
        )
        self.wait(lambda: self._socket.exists() and self.ask("v:vim_did_enter") == 1)
        self.wait(lambda: self.lua("#vim.lsp.get_clients({ name = 'qwen_ls', bufnr = 0 })") == 1)
        self.wait(lambda: self.lua("vim.lsp.get_clients({ name = 'qwen_ls' })[1].initialized") is True)
        self.lua(f"vim.api.nvim_win_set_cursor(0, {{ {line + 1}, 0 }})")
        self.screen.send(f"0{column}li" if column < len(path.read_text("utf-8").split("\n")[line]) else "A")
        self.wait(lambda: self.ask("mode()") == "i")

    def ask(self, expression: str) -> Any:
        """The value of a Vim expression."""
        command = [self.program, "--server", self._socket, "--remote-expr", f"json_encode({expression})"]
        done = subprocess.run(command, env=self.stage.environ, capture_output=True, encoding="utf-8")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def lua(self, expression: str) -> Any:
        """The value of a Lua expression."""
        return self.ask(f"luaeval({json.dumps(expression)})")

    def type(self, text: str) -> None:
        self.screen.type(text)

    def press(self, key: str) -> None:
        self.screen.send(KEYS[key])

    def ghost_on_screen(self) -> str:
        return self.screen.ghost

    def text_on_screen(self) -> list[str]:
        return self.screen.lines[:-2]

    def accept(self) -> None:
        self.press("Tab")

    def accept_word(self) -> None:
        self.press("Alt-Right")

    def accept_line(self) -> None:
        self.press("Control-Alt-Right")

    def dismiss(self) -> None:
        self.press("Control-]")

    def undo(self) -> None:
        self._normal()
        self.screen.send("u")

    def _normal(self) -> None:
        self.press("Escape")
        self.wait(lambda: self.ask("mode()") == "n")

    def save(self) -> None:
        self._normal()
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
        if self.screen.process.poll() is None:
            with contextlib.suppress(AssertionError):
                self._normal()
            self.screen.send(":qall!\r")
            self.screen.ended()
        self.screen.__exit__()


@pytest.fixture(params=VERSIONS)
def start(request: Any, installed: Callable[[str], Path]) -> tuple[str, Callable[[Stage], Neovim]]:
    """An editor's name, and what starts it on a stage."""
    folder = installed(request.param)
    return request.param, lambda stage: Neovim(stage, folder)


@pytest.mark.parametrize("scenario", playable(Neovim))
def test_neovim(
    scenario: Scenario, start: tuple[str, Callable[[Stage], Neovim]], stage: Callable[[str], Stage]
) -> None:
    editor, starter = start
    play(scenario, stage(editor), starter)
