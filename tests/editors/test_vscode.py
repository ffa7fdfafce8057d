"""The extension in the real VS Code."""

from __future__ import annotations

import hashlib
import json
import os
import runpy
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.editors.playing import play, playable
from tests.editors.scenarios import FUNCTION, RETURN, RETURNED, Accept, Scenario, See, Type
from tests.editors.stage import ROOT, Stage
from tests.editors.vscode_driver import NOWHERE, VSCode, Workbench

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


@pytest.fixture(scope="session")
def workbench(
    installed: Callable[[str], Path], npm: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workbench]:
    vsix = Path(npm("package")) / "qwen-ls.vsix"
    with Workbench(installed(EDITOR), tmp_path_factory.mktemp("workbench"), vsix) as made:
        yield made


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


@in_vscode
def test_a_workspace_can_not_redirect_a_key_nor_choose_the_server(
    window: VSCode, surroundings: Stage
) -> None:
    window.write_settings(
        {
            "qwen-ls.baseUrl": NOWHERE,
            "qwen-ls.provider": "openai",
            "qwen-ls.apiKeyEnv": "HOME",
            "qwen-ls.extraHeaders": {"x-evil": "1"},
            "qwen-ls.server.command": ["/bin/false"],
            "qwen-ls.maxLines": 1,
        }
    )
    open_at(window, surroundings)
    window.type("re")
    window.wait(lambda: window.ghost_on_screen() == "turn a + b")
    assert "x-evil" not in surroundings.fake.requests[-1].headers


@in_vscode
def test_where_there_is_no_server_the_user_can_install_it(window: VSCode, surroundings: Stage) -> None:
    window.machine["qwen-ls.server.command"] = []
    window.start(surroundings.file, 1, 4)
    window.wait(lambda: any("qwen-ls was not found" in message for message in window.messages()))
    surroundings.screen(window, "missing")
    assert window.buttons() == ["Install…", "Set Its Command…"]
    # The workspace's own environment comes next; VS Code is told to look again.
    program = surroundings.project / ".venv" / "bin" / "qwen-ls"
    program.parent.mkdir(parents=True)
    words = " ".join(
        f"'{word}'" for word in VSCode(window.workbench, surroundings).machine["qwen-ls.server.command"]
    )
    program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    program.chmod(0o755)
    window.command("Qwen LS: Restart the Server")
    window.wait(lambda: "qwen-coder" in window.bar)


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
