"""Emacs, the real one: the package with Eglot, Eglot alone, and lsp-mode."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

if sys.platform == "win32":
    pytest.skip("needs a pty", allow_module_level=True)

from qwen_ls import __version__
from tests.editors.emacs_driver import PACKAGE, Emacs, EmacsAlone, LspMode, readme
from tests.editors.playing import QUIET_S, play, playable
from tests.editors.scenarios import FUNCTION, LONG, LONG_BEFORE, LONG_BODY, RETURNED, Scenario
from tests.editors.scenarios import RETURN as FUNCTION_RETURN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.editors.stage import Stage

pytestmark = pytest.mark.editors

EDITOR = "emacs-30.2"


@pytest.mark.parametrize("scenario", playable(Emacs))
def test_emacs(scenario: Scenario, installed: Callable[[str], Path], stage: Callable[[str], Stage]) -> None:
    folder = installed(EDITOR)
    play(scenario, stage(EDITOR), lambda stage: Emacs(stage, folder))


@pytest.mark.parametrize("scenario", playable(EmacsAlone))
def test_eglot_alone(
    scenario: Scenario, installed: Callable[[str], Path], stage: Callable[[str], Stage]
) -> None:
    folder = installed(EDITOR)
    play(scenario, stage(f"{EDITOR}-alone"), lambda stage: EmacsAlone(stage, folder))


@pytest.mark.parametrize("scenario", playable(LspMode))
def test_lsp_mode(
    scenario: Scenario, installed: Callable[[str], Path], stage: Callable[[str], Stage]
) -> None:
    folder = installed(EDITOR)
    play(scenario, stage(f"{EDITOR}-lsp-mode"), lambda stage: LspMode(stage, folder))


def test_lsp_mode_tells_what_was_dismissed(
    installed: Callable[[str], Path], stage: Callable[[str], Stage]
) -> None:
    surroundings = stage(f"{EDITOR}-lsp-mode")
    with surroundings.set_for(RETURN):
        emacs = LspMode(surroundings, installed(EDITOR))
        try:
            calls = suggesting(emacs).stage.n_calls
            emacs.dismiss()
            emacs.see("")
            emacs.type("t")
            emacs.rest(QUIET_S)
            assert (emacs.ghost_on_screen(), emacs.stage.n_calls) == ("", calls)
        finally:
            emacs.quit()
    assert surroundings.count("dismissed") == 1


# What only the package has.

LINE = "(buffer-substring-no-properties (pos-bol) (pos-eol))"
"""The current line, in Lisp."""
RETURN = Scenario("emacs", "def add(a, b):\n    █\n", "def add(a, b):\n    return a + b", (), "")


@pytest.fixture
def prepare(
    installed: Callable[[str], Path], stage: Callable[[str], Stage]
) -> Iterator[Callable[..., Emacs]]:
    """Makes an Emacs, not started yet, for a scenario without steps: its file, its model, its endpoint."""
    with contextlib.ExitStack() as stack:

        def made(scenario: Scenario = RETURN, init: str = "") -> Emacs:
            emacs = Emacs(stage(EDITOR), installed(EDITOR), init)
            stack.enter_context(emacs.stage.set_for(scenario))
            stack.callback(emacs.quit)
            return emacs

        yield made


def opened(emacs: Emacs, scenario: Scenario = RETURN) -> Emacs:
    """With the file open and the cursor in it."""
    emacs.open(emacs.stage.file, *scenario.cursor)
    return emacs


def suggesting(emacs: Emacs) -> Emacs:
    """With ghost text."""
    opened(emacs).type("re")
    emacs.see("turn a + b")
    return emacs


def test_a_suggestion_of_some_lines_is_shown_whole_with_the_cursor_before_it(
    prepare: Callable[..., Emacs],
) -> None:
    emacs = opened(prepare(LONG), LONG)
    emacs.type(" ")
    emacs.see(LONG_BODY.lstrip())
    emacs.wait(lambda: (emacs.screen.screen.cursor.y, emacs.screen.screen.cursor.x) == (5, 4))
    emacs.stage.screen(emacs)
    before, _, after = LONG_BEFORE.partition("   █")
    assert "\n".join(emacs.text_on_screen()).startswith(before + LONG_BODY + after.rstrip("\n"))


def test_in_the_middle_of_a_line_the_cursor_is_before_it_too(prepare: Callable[..., Emacs]) -> None:
    scenario = Scenario("middle", "print(█)\n", "print(values)", (), "")
    emacs = opened(prepare(scenario), scenario)
    emacs.type("v")
    emacs.see("alues")
    emacs.wait(lambda: (emacs.screen.screen.cursor.y, emacs.screen.screen.cursor.x) == (0, 7))
    assert emacs.text_on_screen()[0] == "print(values)"


def test_each_acceptance_is_a_change_of_its_own_for_undo(prepare: Callable[..., Emacs]) -> None:
    emacs = suggesting(prepare())
    emacs.accept_word()
    emacs.see(" a + b")
    emacs.accept()
    emacs.see("")
    emacs.undo()
    emacs.wait(lambda: emacs.ask(LINE) == "    return")
    emacs.undo()
    emacs.wait(lambda: emacs.ask(LINE) == "    re")


def test_a_part_that_is_accepted_counts_as_an_acceptance(prepare: Callable[..., Emacs]) -> None:
    emacs = suggesting(prepare())
    emacs.accept_word()
    emacs.see(" a + b")
    emacs.quit()
    assert emacs.stage.count("accepted") == 1


def test_what_was_dismissed_stays_away_while_it_is_typed_on_until_it_is_asked_for(
    prepare: Callable[..., Emacs],
) -> None:
    emacs = suggesting(prepare())
    calls = emacs.stage.n_calls
    emacs.dismiss()
    emacs.see("")
    emacs.type("t")
    emacs.rest(QUIET_S)
    assert (emacs.ghost_on_screen(), emacs.stage.n_calls) == ("", calls)
    emacs.command("qwen-ls-complete")
    emacs.see("urn a + b")
    emacs.quit()
    assert (emacs.stage.count("accepted"), emacs.stage.count("dismissed")) == (0, 1)


DEFUN = Scenario("narrow", "import os\n\n" + FUNCTION, "import os\n\n" + FUNCTION_RETURN, (), "")


def test_in_a_narrowed_buffer(prepare: Callable[..., Emacs]) -> None:
    emacs = opened(prepare(DEFUN), DEFUN)
    emacs.ask("(progn (narrow-to-defun) t)")
    emacs.type("re")
    emacs.see("turn a + b")
    emacs.type("tu")
    emacs.see("rn a + b")
    # Its beginning is not in the buffer any more; a command looks at it all the same.
    emacs.ask("(progn (narrow-to-region (point) (pos-eol)) t)")
    emacs.type("r")
    emacs.see("n a + b")
    emacs.accept()
    emacs.wait(lambda: emacs.ask("(buffer-string)") == "rn a + b")
    assert emacs.ask("(progn (widen) (buffer-string))") == "import os\n\n" + RETURNED
    assert not [line for line in emacs.log() if "rror" in line]


def test_in_evil_s_normal_state_nothing_is_shown(prepare: Callable[..., Emacs]) -> None:
    emacs = suggesting(prepare(init="(defvar-local evil-state 'insert)"))
    emacs.ask("(progn (setq evil-state 'normal) t)")
    emacs.type("x")
    emacs.see("")
    emacs.screen.send("\x7f")
    emacs.rest(QUIET_S)
    assert emacs.ghost_on_screen() == ""
    emacs.ask("(progn (setq evil-state 'insert) t)")
    emacs.type("t")
    emacs.see("urn a + b")


def test_without_a_suggestion_the_keys_do_what_they_always_did(prepare: Callable[..., Emacs]) -> None:
    emacs = opened(
        prepare(Scenario("keys", "█one two\n", "", (), "")), Scenario("keys", "█one two\n", "", (), "")
    )
    emacs.press("Alt-f")
    emacs.wait(lambda: emacs.ask("(current-column)") == 3)
    emacs.press("Control-e")
    emacs.wait(lambda: emacs.ask("(current-column)") == 7)


def test_moving_away_takes_it_off_the_screen_and_cancels_what_is_on_its_way(
    prepare: Callable[..., Emacs],
) -> None:
    emacs = suggesting(prepare(replace(RETURN, behaviour={"ttfb_ms": 300.0})))
    emacs.screen.send("\x01")
    emacs.see("")
    emacs.screen.send("\x05")
    emacs.type("x")
    emacs.wait(lambda: emacs.ask("(and qwen-ls--pending t)"))
    emacs.screen.send("\x01")
    emacs.wait(
        lambda: (
            not emacs.ask("(or qwen-ls--pending (plusp (jsonrpc-continuation-count (eglot-current-server))))")
        )
    )
    assert not emacs.ask("(jsonrpc-last-error (eglot-current-server))")


def test_a_suggestion_on_request_where_none_comes_by_itself(prepare: Callable[..., Emacs]) -> None:
    manual = """(setq-default eglot-workspace-configuration '(:qwen-ls (:trigger "manual")))"""
    emacs = opened(prepare(init=manual))
    emacs.type("re")
    emacs.rest(QUIET_S)
    assert (emacs.ghost_on_screen(), emacs.stage.n_calls) == ("", 0)
    emacs.command("qwen-ls-complete")
    emacs.see("turn a + b")


def test_the_mode_line_says_how_it_stands(prepare: Callable[..., Emacs]) -> None:
    emacs = suggesting(prepare())
    emacs.wait(lambda: "qwen ElDoc" in emacs.mode_line)
    emacs.toggle()
    emacs.wait(lambda: "qwen off" in emacs.mode_line)
    emacs.toggle()
    emacs.wait(lambda: "qwen ElDoc" in emacs.mode_line)


def test_commands(prepare: Callable[..., Emacs]) -> None:
    emacs = suggesting(prepare())
    emacs.command("qwen-ls-explain")
    emacs.wait(lambda: "It was shown: the model was asked." in emacs.screen.text)
    told = emacs.ask("""(with-current-buffer "*qwen-ls explain*" (buffer-string))""")
    assert "| language | python |" in told
    assert "## The prompt" not in told
    emacs.ask("(qwen-ls-explain t)")
    assert "## The prompt" in emacs.ask("""(with-current-buffer "*qwen-ls explain*" (buffer-string))""")
    emacs.command("qwen-ls-clear-cache")
    emacs.command("qwen-ls-doctor")
    emacs.wait(
        lambda: "127.0.0.1" in str(emacs.ask("""(with-current-buffer "*qwen-ls doctor*" (buffer-string))"""))
    )


def test_a_program_that_is_not_there_is_told_with_the_remedy(prepare: Callable[..., Emacs]) -> None:
    emacs = prepare(init='(setq qwen-ls-command \'("no-such-program"))')
    emacs.start(emacs.stage.file)
    emacs.wait(lambda: any("pipx install qwen-ls" in line for line in emacs.log()))
    emacs.type("re")
    emacs.wait(lambda: "re" in emacs.text_on_screen()[0])


# The package as a package.

AUTHOR = ("-c", "user.name=Test", "-c", "user.email=test@example.org")


@pytest.fixture
def batch(installed: Callable[[str], Path], tmp_path: Path) -> Callable[..., str]:
    """Runs Emacs without a screen, in a copy of the package; returns what it says."""
    folder = installed(EDITOR)
    copy = tmp_path / "package"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("*.elc"))
    environ = {name: value for name, value in os.environ.items() if not name.startswith("EMACS")}

    def run(*arguments: str) -> str:
        command = [folder / "bin" / "emacs", "-Q", "--batch", "-L", ".", *arguments]
        done = subprocess.run(
            command, cwd=copy, env=environ | {"HOME": str(tmp_path)}, capture_output=True, encoding="utf-8"
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        return said

    return run


SOURCES = ("qwen-ls.el", "qwen-ls-tests.el")


def test_it_compiles_without_a_warning(batch: Callable[..., str]) -> None:
    batch("--eval", "(setq byte-compile-error-on-warn t)", "-f", "batch-byte-compile", *SOURCES)


@pytest.mark.parametrize("source", SOURCES)
def test_checkdoc_has_nothing_to_say(batch: Callable[..., str], source: str) -> None:
    assert batch("--eval", f'(checkdoc-file "{source}")') == ""


def test_what_needs_no_server(batch: Callable[..., str]) -> None:
    assert " 0 unexpected" in batch("-l", "qwen-ls-tests", "-f", "ert-run-tests-batch-and-exit")


def test_the_readme_installs_it_from_a_repository(batch: Callable[..., str], tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    shutil.copytree(PACKAGE, repository / "editors" / "emacs", ignore=shutil.ignore_patterns("*.elc"))
    for command in (("init", "-q"), ("add", "."), (*AUTHOR, "commit", "-qm", "All of it")):
        subprocess.run(["git", *command], cwd=repository, check=True)
    install = readme("The package, from its repository:").replace("REPOSITORY", str(repository))
    said = batch(
        "--eval",
        f"(progn (require 'package) (setq package-vc-register-as-project nil) (package-initialize) {install}"
        ' (message "%s" (list (memq \'qwen-ls-ensure prog-mode-hook) (locate-library "qwen-ls"))))',
    )
    assert f"((qwen-ls-ensure) {tmp_path}" in said


def test_its_version_is_the_servers() -> None:
    assert f"\n;; Version: {__version__}\n" in (PACKAGE / "qwen-ls.el").read_text("utf-8")
