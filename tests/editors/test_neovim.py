"""Neovim, the real one, with the plugin installed as a package."""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

if sys.platform == "win32":
    pytest.skip("needs a pty", allow_module_level=True)

from tests.editors.neovim_driver import INIT, PLUGIN, Neovim
from tests.editors.playing import QUIET_S, play, playable
from tests.editors.scenarios import LONG, LONG_BEFORE, LONG_BODY, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.editors.stage import Stage

pytestmark = pytest.mark.editors

VERSIONS = ("neovim-0.12.4", "neovim-0.11.4")


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


@pytest.mark.parametrize("after_a_word", [False, True], ids=["all", "the-rest"])
def test_keys_that_come_at_once_with_tab_come_after_what_it_accepts(
    prepare: Callable[..., Neovim], after_a_word: bool
) -> None:
    neovim = suggesting(prepare())
    if after_a_word:
        neovim.accept_word()
        neovim.see(" a + b")
    neovim.screen.send("\t\r# sum")
    neovim.wait(lambda: "# sum" in neovim.ask("join(getline(1, '$'))"))
    assert neovim.ask("getline(2, '$')") == ["    return a + b", "# sum"]


RETURNING = replace(
    RETURN,
    initial="returning = 1\nresult = 2\n" + RETURN.initial,
    model="returning = 1\nresult = 2\n" + RETURN.model,
)


def test_accepting_closes_the_menu_which_would_put_back_its_own(prepare: Callable[..., Neovim]) -> None:
    neovim = opened(prepare(RETURNING, init="vim.o.completeopt = 'menuone,noinsert'"), RETURNING)
    neovim.type("re")
    neovim.see("turn a + b")
    neovim.screen.send("\x0e")
    neovim.wait(lambda: neovim.ask("pumvisible()") == 1)
    neovim.see("turn a + b")
    neovim.accept_word()
    neovim.wait(lambda: neovim.ask("getline(4)") == "    return")
    assert neovim.ask("pumvisible()") == 0
    neovim.accept()
    neovim.wait(lambda: neovim.ask("getline(4)") == "    return a + b")


def test_what_was_dismissed_stays_away_while_it_is_typed_on_until_it_is_asked_for(
    prepare: Callable[..., Neovim],
) -> None:
    neovim = suggesting(prepare())
    calls = neovim.stage.n_calls
    neovim.dismiss()
    neovim.see("")
    neovim.type("t")
    neovim.rest(QUIET_S)
    assert (neovim.ghost_on_screen(), neovim.stage.n_calls) == ("", calls)
    neovim.press("Alt-\\")
    neovim.see("urn a + b")
    neovim.quit()
    assert (neovim.stage.count("accepted"), neovim.stage.count("dismissed")) == (0, 1)


def test_the_rest_of_what_was_accepted_in_part_can_be_dismissed(prepare: Callable[..., Neovim]) -> None:
    neovim = suggesting(prepare())
    neovim.accept_word()
    neovim.see(" a + b")
    neovim.dismiss()
    neovim.see("")
    neovim.type(" ")
    neovim.rest(QUIET_S)
    assert neovim.ghost_on_screen() == ""
    neovim.quit()
    assert neovim.stage.count("accepted") == 1


def test_a_part_that_is_accepted_counts_as_an_acceptance(prepare: Callable[..., Neovim]) -> None:
    neovim = suggesting(prepare())
    neovim.accept_word()
    neovim.see(" a + b")
    neovim.quit()
    assert neovim.stage.count("accepted") == 1


EMPTY = Scenario("tab", "█\n", "", (), "")


@pytest.mark.parametrize(
    ("before", "line"),
    [
        pytest.param("inoremap <Tab> [mine]", "[mine]", id="keys"),
        pytest.param("imap <Tab> <Plug>(mine)| inoremap <Plug>(mine) [mine]", "[mine]", id="more-keys"),
        pytest.param("inoremap <expr> <Tab> '<' .. 'b>'", "<b>", id="an-expression-s-text"),
        pytest.param(r'inoremap <expr> <Tab> "ab\<Left>"', "ab", id="an-expression-s-keys"),
        pytest.param(
            "function! s:Mine() abort\nreturn '[mine]'\nendfunction\ninoremap <expr> <Tab> <SID>Mine()",
            "[mine]",
            id="a-script-s-function",
        ),
        pytest.param(
            "lua vim.keymap.set('i', '<Tab>', function() return '<lt>my tab>' end, { expr = true })",
            "<my tab>",
            id="a-lua-expression",
        ),
        pytest.param(
            "lua vim.keymap.set('i', '<Tab>', function() vim.api.nvim_put({ 'mine' }, 'c', false, true) end)",
            "mine",
            id="a-lua-function",
        ),
    ],
)
def test_without_a_suggestion_tab_does_what_it_did_before(
    prepare: Callable[..., Neovim], before: str, line: str
) -> None:
    neovim = prepare(EMPTY)
    (neovim.config / "plugin").mkdir()
    (neovim.config / "plugin" / "mine.vim").write_text(before + "\n", "utf-8")
    opened(neovim, EMPTY)
    neovim.press("Tab")
    neovim.wait(lambda: neovim.ask("getline(1)") == line)
    assert neovim.ask("v:errmsg") == ""


def test_without_a_suggestion_tab_jumps_in_a_snippet(prepare: Callable[..., Neovim]) -> None:
    neovim = opened(prepare(EMPTY), EMPTY)
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
