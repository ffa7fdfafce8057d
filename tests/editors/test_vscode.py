"""The extension in the real VS Code."""

from __future__ import annotations

import hashlib
import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.editors.playing import QUIET_S, play, playable
from tests.editors.scenarios import FUNCTION, RETURN, RETURNED, Accept, Scenario, See, Type
from tests.editors.stage import ROOT, Stage
from tests.editors.vscode_driver import NOWHERE, VSCode, Workbench, is_alive
from tests.fake_dashscope import Behaviour

EDITOR = "vscode-1.139.1"
EXTENSION = ROOT / "editors" / "vscode"
SOURCES = shutil.ignore_patterns("node_modules", "dist", "*.vsix")
in_vscode = pytest.mark.editors
UNREACHABLE = ("ENOTFOUND", "ECONNRE", "ETIMEDOUT", "EAI_AGAIN", "network")


@pytest.fixture(scope="session")
def npm(installed: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Runs npm in a copy of the extension that has its development dependencies."""
    folder = installed(EDITOR)
    environ = {**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    copy = tmp_path_factory.mktemp("extension") / "vscode"
    shutil.copytree(EXTENSION, copy, ignore=SOURCES)
    lock = (EXTENSION / "package-lock.json").read_bytes()
    modules = folder / "extension" / hashlib.sha256(lock).hexdigest()[:16]
    if not (modules / ".complete").exists():
        modules.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(EXTENSION / name, modules)
        command = [folder / "bin" / "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=modules, env=environ, capture_output=True, encoding="utf-8")
        if any(word in done.stderr for word in UNREACHABLE):
            pytest.skip(
                f"VS CODE'S EXTENSION WAS NOT TESTED, npm's registry cannot be reached: {done.stderr[-400:]}"
            )
        assert done.returncode == 0, done.stderr
        (modules / ".complete").touch()
    (copy / "node_modules").symlink_to(modules / "node_modules")

    def run(*arguments: str) -> str:
        command = [folder / "bin" / "npm", "run", *arguments]
        done = subprocess.run(command, cwd=copy, env=environ, capture_output=True, encoding="utf-8")
        assert done.returncode == 0, done.stdout + done.stderr
        return str(copy)

    return run


PYTHON_EXTENSION = {
    "name": "python",
    "publisher": "ms-python",
    "version": "1.0.0",
    "engines": {"vscode": "^1.91.0"},
    "main": "./main.js",
    "activationEvents": ["onCommand:nobody.calls.it"],
}
CHOSEN_ENVIRONMENT = """
exports.activate = () => ({
    environments: { getActiveEnvironmentPath: () => ({ path: process.env.HOME + '/chosen/bin/python' }) },
});
"""
"""What our extension uses of Python's: the environment that the user has chosen."""

VIM_EXTENSION = {
    "name": "vim",
    "publisher": "vscodevim",
    "version": "1.0.0",
    "engines": {"vscode": "^1.91.0"},
    "main": "./main.js",
    "contributes": {
        "commands": [
            {"command": "toggleVim", "title": "Toggle Vim Mode", "category": "Vim"},
            {"command": "listKeys", "title": "List Keys", "category": "Vim"},
        ],
        "keybindings": [
            {"key": "Escape", "command": "extension.vim_escape", "when": "editorTextFocus && vim.active"}
        ],
    },
}
VIM = """
const { renameSync, writeFileSync } = require('fs');
const { commands, Uri, window, workspace } = require('vscode');
exports.activate = () => {
    commands.registerCommand('toggleVim', () => commands.executeCommand('setContext', 'vim.active', true));
    commands.registerCommand('extension.vim_escape', () => window.showInformationMessage('normal mode'));
    commands.registerCommand('listKeys', async () => {
        const keys = await workspace.openTextDocument(Uri.parse('vscode://defaultsettings/keybindings.json'));
        const file = process.env.HOME + '/keys.json';
        writeFileSync(`${file}.new`, keys.getText());
        renameSync(`${file}.new`, file);
    });
};
"""
"""An extension that has Esc as VSCodeVim has it; beside that it writes down which key does what."""


@pytest.fixture(scope="session")
def workbench(
    installed: Callable[[str], Path], npm: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workbench]:
    folder = tmp_path_factory.mktemp("workbench")
    others = [
        packed(folder / "python.vsix", PYTHON_EXTENSION, CHOSEN_ENVIRONMENT),
        packed(folder / "vim.vsix", VIM_EXTENSION, VIM),
    ]
    vsix = Path(npm("package")) / "qwen-ls.vsix"
    with Workbench(installed(EDITOR), folder, [vsix, *others]) as made:
        yield made


def packed(vsix: Path, manifest: dict[str, Any], script: str) -> Path:
    """Pack an extension."""
    with zipfile.ZipFile(vsix, "w") as archive:
        archive.writestr("extension/package.json", json.dumps(manifest))
        archive.writestr("extension/main.js", script)
    return vsix


OWN = (
    # VS Code gives up after 750 ms and opens its list, if there is one.
    Scenario(
        "slow-endpoint-1000-ms",
        FUNCTION,
        RETURN,
        (Type("re"), See("turn a + b"), Accept()),
        RETURNED,
        behaviour={"ttfb_ms": 1000.0},
    ),
    Scenario(
        "slow-endpoint-and-a-list",
        "def add(a, b):\n    █\n\nx = 'result'\n",
        RETURN,
        (Type("re"), See("turn a + b"), Accept()),
        "def add(a, b):\n    return a + b\n\nx = 'result'\n",
        behaviour={"ttfb_ms": 1200.0},
    ),
    Scenario(
        "bracket-closed-by-the-editor",
        "def add(a, b): ...\nx = add█\n",
        "def add(a, b): ...\nx = add(1, 2)",
        (Type("("), See("1, 2", row="x = add(1, 2)"), Accept()),
        "def add(a, b): ...\nx = add(1, 2)\n",
    ),
)


@in_vscode
@pytest.mark.parametrize("scenario", [*playable(VSCode), *(pytest.param(it, id=it.name) for it in OWN)])
def test_scenario(scenario: Scenario, stage: Callable[[str], Stage], workbench: Workbench) -> None:
    play(scenario, stage(EDITOR), lambda it: VSCode(workbench, it))


@pytest.fixture
def surroundings(stage: Callable[[str], Stage]) -> Stage:
    return stage(EDITOR)


@pytest.fixture
def window(surroundings: Stage, workbench: Workbench) -> Iterator[VSCode]:
    """A window that is not open yet, before a function whose body the model knows."""
    scenario = Scenario("window", FUNCTION, RETURN, (), "")
    with surroundings.set_for(scenario):
        made = VSCode(workbench, surroundings)
        try:
            yield made
        finally:
            surroundings.screen(made, "end")
            made.quit()


def open_at(window: VSCode, surroundings: Stage, marked: str = FUNCTION) -> None:
    """Open a file of this text, with the cursor at its mark."""
    scenario = Scenario("", marked, "", (), "")
    surroundings.file.write_bytes(scenario.content)
    window.open(surroundings.file, *scenario.cursor)


@in_vscode
def test_an_indented_item_in_column_0_is_accepted_by_tab(window: VSCode, surroundings: Stage) -> None:
    open_at(window, surroundings, "def add(a, b):\n█")
    window.command("Trigger Inline Suggestion")
    window.wait(lambda: window.ghost_on_screen() == "    return a + b")
    window.accept()
    window.wait(lambda: window.text_on_screen() == ["def add(a, b):", "    return a + b"])
    window.save()
    assert surroundings.file.read_bytes() == b"def add(a, b):\n    return a + b"


@in_vscode
def test_tab_indents_once_a_suggestion_is_dismissed(window: VSCode, surroundings: Stage) -> None:
    open_at(window, surroundings, "def add(a, b):\n█")
    window.command("Trigger Inline Suggestion")
    window.wait(lambda: window.ghost_on_screen() == "    return a + b")
    window.dismiss()
    window.wait(lambda: window.ghost_on_screen() == "")
    window.press("Tab")
    window.save()
    assert surroundings.file.read_bytes() == b"def add(a, b):\n    "


def suggesting(window: VSCode, surroundings: Stage) -> None:
    """Open the file, and type until there is a suggestion."""
    open_at(window, surroundings)
    window.type("re")
    window.wait(lambda: window.ghost_on_screen() == "turn a + b")


def assert_quiet(window: VSCode, surroundings: Stage, calls: int) -> None:
    """Nothing is shown at the cursor, and nothing was asked for it."""
    window.rest(QUIET_S)
    assert (window.ghost_on_screen(), surroundings.n_calls) == ("", calls)


@in_vscode
def test_what_was_dismissed_stays_away_until_it_is_asked_for(window: VSCode, surroundings: Stage) -> None:
    suggesting(window, surroundings)
    calls = surroundings.n_calls
    window.dismiss()
    window.wait(lambda: window.ghost_on_screen() == "")
    window.wait(lambda: surroundings.count("dismissed") == 1)
    window.type("t")
    assert_quiet(window, surroundings, calls)
    window.press("Backspace")
    assert_quiet(window, surroundings, calls)
    window.type("t")
    assert_quiet(window, surroundings, calls)
    window.command("Trigger Inline Suggestion")
    window.wait(lambda: window.ghost_on_screen() == "urn a + b")


@in_vscode
def test_the_rest_of_what_was_accepted_in_part_can_be_dismissed(window: VSCode, surroundings: Stage) -> None:
    suggesting(window, surroundings)
    calls = surroundings.n_calls
    window.accept_word()
    window.wait(lambda: window.ghost_on_screen() == " a + b")
    window.dismiss()
    window.wait(lambda: window.ghost_on_screen() == "")
    window.type(" ")
    assert_quiet(window, surroundings, calls)


@in_vscode
def test_esc_closes_the_list_and_then_dismisses_the_suggestion(window: VSCode, surroundings: Stage) -> None:
    open_at(window, surroundings, "def add(a, b):\n    █\n\n# return\n")
    window.type("re")
    window.wait(lambda: window.ghost_on_screen() == "turn a + b")
    calls = surroundings.n_calls
    window.press("Control+Space")
    window.wait(window.list_is_open)
    window.wait(lambda: window.text_on_screen()[1] == "    return a + b")  # the list's row, and what goes on
    surroundings.screen(window, "list")
    window.dismiss()
    window.wait(lambda: not window.list_is_open())
    window.wait(lambda: window.ghost_on_screen() == "turn a + b")
    window.dismiss()
    window.wait(lambda: window.ghost_on_screen() == "")
    window.type("t")
    assert_quiet(window, surroundings, calls)


@in_vscode
def test_with_vim_esc_leaves_insert_mode_at_once(window: VSCode, surroundings: Stage) -> None:
    suggesting(window, surroundings)
    window.command("Vim: Toggle Vim Mode")
    window.command("Trigger Inline Suggestion")
    window.wait(lambda: window.ghost_on_screen() == "turn a + b")
    window.dismiss()
    window.wait(lambda: window.messages() == ["normal mode"])
    window.wait(lambda: surroundings.count("shown") >= 1)
    assert surroundings.count("dismissed") == 0


ON_ESC = re.compile(r'"key": "escape",\s+"command": "([^"]+)",\s+"when": "([^"]+)"')
HIDE = "editor.action.inlineSuggest.hide"
OUTSIDE = re.compile(
    r"(?!editor|textInput)\w+(Focus|Focused|FocusInAny)|breadcrumbsActive|scmRepository|!inputFocus"
)
"""Context keys that say: in a list, an input field or a panel, not in the text of a file."""
OUTSIDE_TOO = re.compile(r"in(Chat|ChatInput|Keybindings|QuickInput|QuickOpen|SettingsEditor)|!editorFocus")


@in_vscode
def test_what_esc_closes_before_a_suggestion_it_still_closes_first(
    window: VSCode, surroundings: Stage, workbench: Workbench
) -> None:
    """VS Code's bindings of Esc, the later the stronger: ours does not hold where one behind its own does."""
    open_at(window, surroundings)
    window.command("Vim: List Keys")
    listed = workbench.home / "keys.json"
    window.wait(listed.exists)
    rules = ON_ESC.findall(listed.read_text())
    names = [name for name, _ in rules]
    ours = set(rules[names.index("runCommands")][1].split(" && "))
    assert {"editorTextFocus", "inlineSuggestionVisible"} <= ours
    last = len(names) - 1 - names[::-1].index(HIDE)
    stronger = [(name, when) for name, when in rules[last + 1 :] if name != "runCommands"]
    assert {"hideSuggestWidget", "extension.vim_escape"} <= {name for name, _ in stronger}
    taken = [
        (name, case)
        for name, when in stronger
        for case in when.split(" || ")
        if not any(
            f"!{key}" in ours or OUTSIDE.fullmatch(key) or OUTSIDE_TOO.fullmatch(key)
            for key in case.split(" && ")
        )
    ]
    assert not taken


@in_vscode
def test_a_late_answer_is_not_shown_where_the_cursor_has_gone(window: VSCode, surroundings: Stage) -> None:
    open_at(window, surroundings)
    surroundings.fake.behaviour = Behaviour(ttfb_ms=1000.0)
    window.type("re")
    window.wait(lambda: surroundings.n_calls == 1)
    window.press("ArrowUp")
    window.rest(1.0 + QUIET_S)
    assert window.ghost_on_screen() == ""


@in_vscode
def test_the_status_bar_says_model_cost_and_state_and_its_menu_does_the_rest(
    window: VSCode, surroundings: Stage
) -> None:
    open_at(window, surroundings)
    assert window.bar == "qwen-coder-turbo"
    window.type("re")
    window.wait(lambda: window.ghost_on_screen() == "turn a + b")
    window.wait(lambda: window.bar.startswith("qwen-coder-turbo ¥0.0"))
    surroundings.screen(window, "ghost")

    window.open_menu()
    surroundings.screen(window, "menu")
    window.choose("Switch Completions Off or On")
    window.wait(lambda: window.bar == "qwen-coder-turbo off")

    window.open_menu()
    window.choose("Explain the Last Completion")
    window.wait(lambda: "Last completion" in window.tab)
    surroundings.screen(window, "explain")

    window.open_menu()
    window.choose("Statistics")
    window.wait(lambda: window.tab == "Qwen LS: Statistics")
    surroundings.screen(window, "stats")

    window.open_menu()
    window.choose("Log")
    window.wait(lambda: window.output == "Qwen LS")


@in_vscode
def test_a_key_is_kept_as_a_secret_and_given_to_the_server_alone(
    window: VSCode, surroundings: Stage, workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "sk-kept-by-vscode"
    monkeypatch.setattr(surroundings.fake, "keys", {key})
    window.machine["qwen-ls.server.command"] = [
        word for word in window.machine["qwen-ls.server.command"] if not word.startswith("DASHSCOPE")
    ]
    open_at(window, surroundings)
    window.type("r")
    window.wait(lambda: [message for message in window.messages() if "wants a key" in message])
    window.command("Qwen LS: Set an API Key…")
    window.choose("DashScope")
    window.answer(key)
    window.wait_for_server(2)
    window.type("e")
    window.wait(lambda: window.ghost_on_screen() == "turn a + b")
    for file in workbench.written():
        assert key.encode() not in file.read_bytes(), file

    window.command("Qwen LS: Clear an API Key…")
    window.wait_for_server(3)
    window.type("x")
    window.wait(lambda: [message for message in window.messages() if "wants a key" in message][1:])


REDIRECTED = {
    "qwen-ls.baseUrl": NOWHERE,
    "qwen-ls.provider": "openai",
    "qwen-ls.apiKeyEnv": "HOME",
    "qwen-ls.extraHeaders": {"x-evil": "1"},
    "qwen-ls.server.command": ["/bin/false"],
    "qwen-ls.maxLines": 1,
}


@in_vscode
def test_a_workspace_can_not_redirect_a_key_nor_choose_the_server(
    window: VSCode, surroundings: Stage
) -> None:
    window.write_settings(REDIRECTED)
    open_at(window, surroundings)
    window.type("re")
    window.wait(lambda: window.ghost_on_screen() == "turn a + b")
    assert "x-evil" not in surroundings.fake.requests[-1].headers


NOT_FOUND = "qwen-ls was not found"


@pytest.fixture
def bare(window: VSCode, workbench: Workbench) -> Iterator[VSCode]:
    """A window on a machine that has no server, and nothing to install one with."""
    window.machine["qwen-ls.server.command"] = []
    yield window
    for folder in (workbench.home, workbench.programs):
        shutil.rmtree(folder)
        folder.mkdir()


def start_without_a_server(window: VSCode, surroundings: Stage) -> None:
    window.start(surroundings.file, 1, 4)
    window.wait(lambda: any(NOT_FOUND in message for message in window.messages()))


def put_program(file: Path, script: str) -> None:
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@in_vscode
def test_where_there_is_no_server_the_workspace_s_own_is_found_later(
    bare: VSCode, surroundings: Stage
) -> None:
    start_without_a_server(bare, surroundings)
    surroundings.screen(bare, "missing")
    assert bare.buttons() == ["Install…", "Set Its Command…"]
    bare.put_server(surroundings.project / ".venv" / "bin" / "qwen-ls")
    bare.command("Qwen LS: Restart the Server")
    bare.wait(lambda: "qwen-coder" in bare.bar)


@in_vscode
@pytest.mark.parametrize("command", ["uv tool install qwen-ls", "pipx install qwen-ls"])
def test_the_server_is_installed_as_the_user_chooses(
    bare: VSCode, surroundings: Stage, workbench: Workbench, command: str
) -> None:
    tool, _, arguments = command.partition(" ")
    ready, asked = surroundings.folder / "downloaded", surroundings.folder / "asked"
    bare.put_server(ready)
    target = workbench.home / ".local" / "bin" / "qwen-ls"
    target.parent.mkdir(parents=True)
    put_program(workbench.programs / tool, f'echo "$@" >"{asked}"\n/bin/cp -p "{ready}" "{target}"')
    start_without_a_server(bare, surroundings)
    bare.click_button("Install…")
    bare.choose(command)
    bare.wait(lambda: "qwen-coder" in bare.bar)
    assert asked.read_text() == f"{arguments}\n"


@in_vscode
def test_an_installation_that_fails_is_told_and_can_be_tried_again(
    bare: VSCode, surroundings: Stage, workbench: Workbench
) -> None:
    put_program(workbench.programs / "uv", "echo no such package >&2\nexit 3")
    start_without_a_server(bare, surroundings)
    bare.click_button("Install…")
    bare.choose("uv tool install qwen-ls")
    bare.wait(lambda: "uv tool install qwen-ls failed: 3" in bare.messages())
    bare.click_button("Show Log")
    bare.wait(lambda: bare.output == "Qwen LS")
    bare.open_menu()
    bare.wait(lambda: "Install…" in bare.buttons())


@in_vscode
def test_with_neither_uv_nor_pipx_the_user_is_told_what_to_install(bare: VSCode, surroundings: Stage) -> None:
    start_without_a_server(bare, surroundings)
    bare.click_button("Install…")
    bare.wait(lambda: any("Neither uv nor pipx was found" in message for message in bare.messages()))
    assert "How to Install uv" in bare.buttons()


@in_vscode
def test_the_server_s_command_can_be_set_where_it_was_not_found(
    bare: VSCode, surroundings: Stage, workbench: Workbench
) -> None:
    start_without_a_server(bare, surroundings)
    bare.click_button("Set Its Command…")
    bare.wait(lambda: "qwen-ls.server.command" in bare.text_on_screen())  # the field that seeks settings
    program = surroundings.folder / "elsewhere"
    bare.put_server(program)
    workbench.set(bare.user, {"qwen-ls.server.command": [str(program)]})
    bare.wait(lambda: "qwen-coder" in bare.bar)


@in_vscode
def test_the_environment_chosen_in_the_python_extension_is_searched(
    bare: VSCode, surroundings: Stage, workbench: Workbench
) -> None:
    """Also where that extension is not active yet, as in a workspace without Python's files."""
    bare.put_server(workbench.home / "chosen" / "bin" / "qwen-ls")
    bare.start(surroundings.file, 1, 4)
    bare.wait(lambda: "qwen-coder" in bare.bar)


RESTRICTED = {"security.workspace.trust.enabled": True, "security.workspace.trust.startupPrompt": "never"}


@in_vscode
def test_nothing_of_a_workspace_that_is_not_trusted_is_run(bare: VSCode, surroundings: Stage) -> None:
    bare.user |= RESTRICTED
    mine, theirs = surroundings.project / ".venv" / "bin" / "qwen-ls", surroundings.folder / "was-run"
    bare.put_server(mine)
    mine.write_text(f'#!/bin/sh\n>"{theirs}"\n' + mine.read_text())
    bare.write_settings({"qwen-ls.server.command": [str(mine)]})
    start_without_a_server(bare, surroundings)
    surroundings.screen(bare, "restricted")
    assert not theirs.exists()
    # The trust, once given, is enough.
    bare.command("Workspaces: Manage Workspace Trust")
    bare.click_button("Trust")
    bare.wait(lambda: "qwen-coder" in bare.bar)
    assert theirs.exists()


@in_vscode
def test_a_workspace_that_is_not_trusted_has_suggestions_and_redirects_nothing(
    window: VSCode, surroundings: Stage
) -> None:
    window.user |= RESTRICTED
    window.write_settings(REDIRECTED)
    open_at(window, surroundings)
    window.type("re")
    window.wait(lambda: window.ghost_on_screen() == "turn a + b")
    assert "x-evil" not in surroundings.fake.requests[-1].headers


@in_vscode
def test_a_server_that_does_not_answer_holds_nothing_up_and_is_ended(
    window: VSCode, surroundings: Stage, workbench: Workbench
) -> None:
    working = window.machine["qwen-ls.server.command"]
    pid = surroundings.folder / "pid"
    window.machine["qwen-ls.server.command"] = ["/bin/sh", "-c", f'echo $$ >"{pid}"; exec /bin/sleep 600']
    window.start(surroundings.file, 1, 4)
    window.wait(lambda: pid.exists() and pid.read_text().strip())
    window.command("Qwen LS: Show Log")
    window.wait(lambda: window.output == "Qwen LS")
    workbench.set(window.user, {"qwen-ls.server.command": working})
    window.wait(lambda: "qwen-coder" in window.bar)
    window.wait(lambda: not is_alive(int(pid.read_text())))


@in_vscode
def test_a_server_that_ends_at_once_is_told_once(window: VSCode, surroundings: Stage) -> None:
    window.machine["qwen-ls.server.command"] = ["/bin/sh", "-c", "exit 1"]
    window.start(surroundings.file, 1, 4)
    window.wait(window.messages)
    window.rest(QUIET_S)
    (message,) = window.messages()
    assert "couldn't create connection to server" in message
    assert window.bar == "Qwen"


@in_vscode
def test_a_server_that_hangs_is_ended_when_another_is_started(window: VSCode, surroundings: Stage) -> None:
    open_at(window, surroundings)
    (hung,) = surroundings.server_pids
    os.kill(hung, signal.SIGSTOP)
    window.command("Qwen LS: Restart the Server")
    window.wait_for_server(2)
    assert not is_alive(hung)


def wait_until_off(window: VSCode, surroundings: Stage, number: int) -> None:
    """Wait until that server runs and says that it is off."""
    window.wait(lambda: len(surroundings.server_pids) == number)
    window.rest(QUIET_S)  # what the bar says of the one before goes in this time
    window.wait(lambda: window.bar.endswith(" off"))


@in_vscode
def test_completions_that_are_off_stay_off_with_another_server(window: VSCode, surroundings: Stage) -> None:
    open_at(window, surroundings)
    window.toggle()
    window.wait(lambda: window.bar.endswith(" off"))
    window.command("Qwen LS: Restart the Server")
    wait_until_off(window, surroundings, 2)
    surroundings.kill_server()
    wait_until_off(window, surroundings, 3)
    window.type("re")
    window.rest(QUIET_S)
    assert (window.ghost_on_screen(), surroundings.n_calls) == ("", 0)
    window.toggle()
    window.type("t")
    window.wait(lambda: window.ghost_on_screen() == "urn a + b")


@in_vscode
def test_the_package_holds_the_extension_and_nothing_else(npm: Callable[..., str]) -> None:
    with zipfile.ZipFile(Path(npm("package")) / "qwen-ls.vsix") as package:
        names = {name.removeprefix("extension/").lower() for name in package.namelist()}
    pictures = {f"docs/{file.name}" for file in (EXTENSION / "docs").glob("*.png")}
    words = {"package.json", "readme.md", "changelog.md", "license.txt"}
    assert names - {"[content_types].xml", "extension.vsixmanifest"} == {
        "dist/extension.js", "icon.png", *pictures, *words,
    }  # fmt: skip


@in_vscode
def test_the_units(npm: Callable[..., str]) -> None:
    npm("test")


@pytest.fixture
def published() -> dict[str, Any]:
    """What `settings.py` makes of the server's own words."""
    return runpy.run_path(str(EXTENSION / "settings.py"))


def test_the_settings_are_those_that_the_server_publishes(published: dict[str, Any]) -> None:
    """`python editors/vscode/settings.py` writes them anew."""
    assert (EXTENSION / "package.json").read_text("utf-8") == published["as_text"](published["package"]())
    providers = EXTENSION / "src" / "providers.json"
    assert providers.read_text("utf-8") == published["as_text"](published["providers"]())


@pytest.mark.parametrize(
    "name",
    [
        "provider",
        "region",
        "workspaceId",
        "baseUrl",
        "apiKeyEnv",
        "extraHeaders",
        "extraBody",
        "server.command",
    ],
)
def test_what_decides_where_a_key_goes_is_the_machine_s(name: str) -> None:
    manifest = json.loads((EXTENSION / "package.json").read_text("utf-8"))
    settings = {
        key: value
        for group in manifest["contributes"]["configuration"]
        for key, value in group["properties"].items()
    }
    assert settings[f"qwen-ls.{name}"]["scope"] == "machine"
