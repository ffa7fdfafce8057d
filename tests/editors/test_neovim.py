"""Neovim, the real one, with the plugin installed as a package."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

if sys.platform == "win32":
    pytest.skip("needs a pty", allow_module_level=True)

from tests.cli.terminal import LIMIT_S
from tests.editors.playing import QUIET_S, play, playable
from tests.editors.scenarios import LONG, LONG_BEFORE, LONG_BODY, Scenario
from tests.editors.screen import EditorScreen
from tests.editors.stage import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

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
        asking = subprocess.Popen(command, env=self.stage.environ, stdout=subprocess.PIPE, encoding="utf-8")
        end = time.monotonic() + LIMIT_S
        while asking.poll() is None:
            if time.monotonic() > end:
                asking.kill()
            self.screen.step(0.01)  # Neovim does not answer while its screen is not read
        answer = asking.communicate()[0]
        return json.loads(answer) if asking.returncode == 0 else None

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


@pytest.fixture(params=VERSIONS)
def editor(request: Any) -> str:
    """An editor's name at `install.sh`."""
    return str(request.param)


@pytest.mark.parametrize("scenario", playable(Neovim))
def test_neovim(
    scenario: Scenario, editor: str, installed: Callable[[str], Path], stage: Callable[[str], Stage]
) -> None:
    folder = installed(editor)
    play(scenario, stage(editor), lambda stage: Neovim(stage, folder))


# What only Neovim has.

RETURN = Scenario("neovim", "def add(a, b):\n    █\n", "def add(a, b):\n    return a + b", (), "")


@pytest.fixture
def prepare(
    editor: str, installed: Callable[[str], Path], stage: Callable[[str], Stage]
) -> Iterator[Callable[..., Neovim]]:
    """Makes a Neovim, not started yet, for a scenario without steps: its file, its model, its endpoint."""
    with contextlib.ExitStack() as stack:

        def made(scenario: Scenario = RETURN, init: str = "") -> Neovim:
            neovim = Neovim(stage(editor), installed(editor), INIT + init)
            stack.enter_context(neovim.stage.set_for(scenario))
            stack.callback(neovim.quit)
            return neovim

        yield made


def opened(neovim: Neovim, scenario: Scenario = RETURN) -> Neovim:
    """With the file open and the cursor in it."""
    neovim.open(neovim.stage.file, *scenario.cursor)
    return neovim


def suggesting(neovim: Neovim) -> Neovim:
    """With ghost text."""
    opened(neovim).type("re")
    neovim.see("turn a + b")
    return neovim


def test_each_acceptance_is_a_change_of_its_own_for_undo(prepare: Callable[..., Neovim]) -> None:
    neovim = suggesting(prepare())
    neovim.accept_word()
    neovim.see(" a + b")
    neovim.accept()
    neovim.see("")
    neovim.type(" + c")
    for line in ("    return a + b", "    return", "    re", "    "):
        neovim.undo()
        assert neovim.ask("getline(2)") == line


TABS = Scenario(
    "tabs",
    "func add(a, b int) int {\n█\n}\n",
    "func add(a, b int) int {\n\tif a == 0 {\n\t\treturn b\n\t}\n\treturn a + b",
    (),
    "",
    file_name="add.go",
)


CALL = Scenario("call", "values = [1, 2]\n█\n", "values = [1, 2]\nprint(values[0], sep='')", (), "")


@pytest.mark.parametrize("typed_on", ["", "(", "(values["], ids=["before", "one", "two"])
def test_brackets_that_mappings_close_are_not_doubled(prepare: Callable[..., Neovim], typed_on: str) -> None:
    closing = (
        "for _, pair in ipairs({ '()', '[]' }) do vim.keymap.set('i', pair:sub(1, 1), pair .. '<Left>') end"
    )
    neovim = opened(prepare(CALL, init=closing), CALL)
    neovim.type("print")
    neovim.see("(values[0], sep='')")
    neovim.type(typed_on)
    neovim.accept()  # before another answer can have come
    neovim.wait(lambda: "sep" in neovim.ask("getline(2)"))
    assert neovim.ask("getline(2)") == "print(values[0], sep='')"


def test_a_bracket_is_drawn_once(prepare: Callable[..., Neovim]) -> None:
    neovim = opened(prepare(CALL, init="vim.keymap.set('i', '(', '()<Left>')"), CALL)
    neovim.type("print(v")
    neovim.see("alues[0], sep=''")
    assert "print(values[0], sep='')" in neovim.text_on_screen()


def test_tabs_are_as_wide_as_in_the_text(prepare: Callable[..., Neovim]) -> None:
    neovim = opened(prepare(TABS), TABS)
    block = ["        if a == 0 {", "                return b", "        }", "        return a + b", "}"]
    neovim.wait(lambda: neovim.text_on_screen()[1:6] == block)
    assert neovim.ask("getline(2)") == ""
    neovim.accept()
    neovim.wait(
        lambda: neovim.ask("getline(2, 5)") == ["\tif a == 0 {", "\t\treturn b", "\t}", "\treturn a + b"]
    )


def test_a_suggestion_of_some_lines_is_shown_whole_with_the_text_below_it(
    prepare: Callable[..., Neovim],
) -> None:
    neovim = opened(prepare(LONG), LONG)
    neovim.type(" ")
    neovim.see(LONG_BODY.lstrip())
    neovim.stage.screen(neovim)
    before, _, after = LONG_BEFORE.partition("   █")
    assert "\n".join(neovim.text_on_screen()).startswith(before + LONG_BODY + after.rstrip("\n"))


def test_backspace_and_accept_at_once_is_a_tab(prepare: Callable[..., Neovim]) -> None:
    neovim = suggesting(prepare())
    neovim.screen.send("\x7f\t")
    neovim.wait(lambda: neovim.ask("getline(2)") == "    r   ")
    assert neovim.ask("v:errmsg") == ""


def test_a_part_that_is_accepted_counts_as_an_acceptance(prepare: Callable[..., Neovim]) -> None:
    neovim = suggesting(prepare())
    neovim.accept_word()
    neovim.see(" a + b")
    neovim.quit()
    assert neovim.stage.count("accepted") == 1


def test_without_a_suggestion_tab_does_what_it_did_before(prepare: Callable[..., Neovim]) -> None:
    before = "vim.keymap.set('i', '<Tab>', function() return '<lt>my tab>' end, { expr = true })"
    neovim = opened(
        prepare(Scenario("tab", "█\n", "", (), ""), init=before), Scenario("tab", "█", "", (), "")
    )
    neovim.press("Tab")
    neovim.wait(lambda: neovim.ask("getline(1)") == "<my tab>")


def test_without_a_suggestion_tab_jumps_in_a_snippet(prepare: Callable[..., Neovim]) -> None:
    empty = Scenario("tab", "█\n", "", (), "")
    neovim = opened(prepare(empty), empty)
    neovim.lua("vim.snippet.expand('f($1, $2)')")
    neovim.type("a")
    neovim.press("Tab")
    neovim.type("b")
    neovim.wait(lambda: neovim.ask("getline(1)") == "f(a, b)")


TWO = """
vim.lsp.config('qwen_ls', { cmd = function()
  return {
    request = function(method, params, callback)
      local range = { start = params.position, ['end'] = params.position }
      local answers = {
        initialize = { capabilities = { inlineCompletionProvider = true, positionEncoding = 'utf-8' } },
        ['textDocument/inlineCompletion'] = { items = {
          { insertText = 'one', range = range }, { insertText = 'two\\nlines', range = range } } },
      }
      vim.schedule(function() callback(nil, answers[method]) end)
      return true, 1
    end,
    notify = function() return true end,
    is_closing = function() return false end,
    terminate = function() end,
  }
end })
"""


def test_the_next_suggestion_and_the_one_before(prepare: Callable[..., Neovim]) -> None:
    neovim = opened(prepare(init=TWO))
    neovim.see("one")
    neovim.press("Alt-]")
    neovim.wait(lambda: neovim.ghost_on_screen().startswith("two\nlines"))
    assert "(2/2)" in neovim.screen.text
    neovim.press("Alt-]")
    neovim.wait(lambda: neovim.ghost_on_screen().startswith("one"))
    neovim.lua("require('qwen_ls').select(-1)")
    neovim.wait(lambda: neovim.ghost_on_screen().startswith("two"))
    neovim.accept()
    neovim.wait(lambda: neovim.ask("getline(2, 3)") == ["    two", "lines"])


def test_a_suggestion_on_request_where_none_comes_by_itself(prepare: Callable[..., Neovim]) -> None:
    manual = "vim.lsp.config('qwen_ls', { settings = { ['qwen-ls'] = { trigger = 'manual' } } })"
    neovim = opened(prepare(init=manual))
    neovim.type("re")
    neovim.rest(QUIET_S)
    assert (neovim.ghost_on_screen(), neovim.stage.n_calls) == ("", 0)
    neovim.press("Alt-\\")
    neovim.see("turn a + b")
    neovim.type("turn")
    neovim.see(" a + b")
    neovim.accept()
    neovim.wait(lambda: neovim.ask("getline(2)") == "    return a + b")


def test_the_statusline_says_how_it_stands(prepare: Callable[..., Neovim]) -> None:
    neovim = suggesting(prepare())
    neovim.wait(lambda: neovim.screen.lines[-2].endswith("  qwen"))
    neovim.toggle()
    neovim.wait(lambda: neovim.screen.lines[-2].endswith("  qwen off"))
    neovim.toggle()
    neovim.wait(lambda: neovim.screen.lines[-2].endswith("  qwen"))


def test_a_server_that_cannot_stay_alive_is_left_alone_with_one_message(
    prepare: Callable[..., Neovim],
) -> None:
    neovim = prepare()
    neovim.stage.program.write_text("#!/bin/sh\nexit 3\n")
    neovim.start(neovim.stage.file)
    neovim.wait(neovim.messages)
    (message,) = neovim.messages()
    assert ":QwenLs restart" in message
    assert "is not started again" in neovim.words_on_screen()


def test_a_program_that_is_not_there_is_told_with_the_remedy(prepare: Callable[..., Neovim]) -> None:
    neovim = prepare(init="vim.lsp.config('qwen_ls', { cmd = { 'no-such-program' } })")
    neovim.start(neovim.stage.file)
    neovim.wait(lambda: "pipx install qwen-ls" in neovim.words_on_screen())
    neovim.go(1, 4)
    neovim.type("re")
    assert len(neovim.messages()) == 1
    neovim.normal()
    neovim.ask("execute('checkhealth qwen_ls')")
    report = "\n".join(neovim.ask("getline(1, '$')"))
    assert "ERROR there is no no-such-program on the PATH" in report
    assert "pipx install qwen-ls" in report


def test_the_plugin_that_shows_messages_in_your_way_gets_them(prepare: Callable[..., Neovim]) -> None:
    mine = "vim.notify = function(text, _, opts) vim.g.told = (opts or {}).title .. ': ' .. text end"
    neovim = opened(prepare(replace(RETURN, is_down=True), init=mine))
    neovim.type("re")
    neovim.wait(lambda: str(neovim.ask("get(g:, 'told', '')")).startswith("qwen-ls: Nothing answers"))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        pytest.param("explain", "It was shown: the model was asked.", id="explain"),
        pytest.param("explain prompt", "It was shown: the model was asked.", id="explain prompt"),
        pytest.param("status", "qwen-ls: ready", id="status"),
        pytest.param("toggle", "qwen-ls: off", id="toggle"),
        pytest.param("messages", "no messages", id="messages"),
        pytest.param("nonsense", "qwen-ls: there is clear, explain", id="unknown"),
    ],
)
def test_commands(prepare: Callable[..., Neovim], command: str, words: str) -> None:
    neovim = suggesting(prepare())
    neovim.normal()
    neovim.screen.send(f":QwenLs {command}\r")
    neovim.wait(lambda: words in neovim.words_on_screen())
    assert neovim.ask("getcompletion('QwenLs re', 'cmdline')") == ["restart"]


def test_restart(prepare: Callable[..., Neovim]) -> None:
    neovim = suggesting(prepare())
    neovim.ask("execute('QwenLs restart')")
    neovim.wait(lambda: len(neovim.stage.server_pids) == 2)
    neovim.type("t")
    neovim.see("urn a + b")


def test_checkhealth(prepare: Callable[..., Neovim], editor: str) -> None:
    neovim = opened(prepare())
    neovim.press("Escape")
    neovim.ask("execute('checkhealth qwen_ls')")
    report = "\n".join(neovim.ask("getline(1, '$')"))
    assert editor.rpartition("-")[2] in report
    assert str(neovim.stage.program) in report
    assert "status: ready" in report, report
    assert "<Tab>: accept" in report
    assert "ERROR" not in report
    assert "WARNING" not in report


def test_help(prepare: Callable[..., Neovim]) -> None:
    neovim = prepare()
    # `:helptags` writes beside the text.
    neovim.package.unlink()
    shutil.copytree(PLUGIN, neovim.package)
    neovim.start(neovim.stage.file)
    neovim.ask("execute('helptags ALL')")
    for tag in re.findall(
        r"\*(\S+)\*$|\*(\S+)\*\s", (PLUGIN / "doc" / "qwen-ls.txt").read_text("utf-8"), re.MULTILINE
    ):
        neovim.ask(f"execute('help {''.join(tag)}')")
        assert neovim.ask("expand('%:t')") == "qwen-ls.txt"
    assert neovim.ask("v:errmsg") == ""


def test_the_configuration_alone_with_what_neovim_has(prepare: Callable[..., Neovim], editor: str) -> None:
    if editor == "neovim-0.11.4":
        return  # 0.11 has nothing to show it with
    native = "vim.o.statusline = '' vim.lsp.enable('qwen_ls') vim.lsp.inline_completion.enable()"
    neovim = prepare(init=native)
    neovim.package.unlink()
    (neovim.config / "lsp").mkdir()
    shutil.copy(PLUGIN / "lsp" / "qwen_ls.lua", neovim.config / "lsp")
    opened(neovim)
    neovim.type("re")
    neovim.see("turn a + b")
