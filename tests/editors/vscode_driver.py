"""VS Code, the real workbench in a browser, as a `Driver`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import quote

from tests.editors.chromium import Chromium, Page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.editors.stage import Stage

WAIT_S = 30.0
START_S = 90.0
NOWHERE = "http://127.0.0.1:9/"

SETTINGS: dict[str, Any] = {
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.enableExperiments": False,
    "chat.disableAIFeatures": True,
    "files.autoSave": "off",
    "telemetry.telemetryLevel": "off",
    "update.mode": "none",
    "extensions.autoUpdate": False,
    "extensions.autoCheckUpdates": False,
    "extensions.ignoreRecommendations": True,
    "security.workspace.trust.enabled": False,
    "editor.minimap.enabled": False,
    "editor.cursorBlinking": "solid",
    "window.commandCenter": False,
}
"""Nothing that calls out, moves or covers; what concerns completion is as VS Code has it."""

KEYBINDINGS = [
    # VS Code has a command for it and no key.
    {"key": "alt+l", "command": "editor.action.inlineSuggest.acceptNextLine"},
]

WATCH_MESSAGES = """
    window.shown = [];
    new MutationObserver(() => {
        const found = document.querySelectorAll('.notification-toast .notification-list-item-message');
        for (const element of found) {
            if (!element.isNoted && element.textContent) {
                element.isNoted = true;
                window.shown.push(element.textContent);
            }
        }
    }).observe(document, { childList: true, subtree: true });
"""
GHOST = """
    (() => {
        const plain = (element) => element.textContent.replaceAll('\\u00a0', ' ').replaceAll('\\u200b', '');
        const here = [...document.querySelectorAll('.view-lines .ghost-text-decoration')].map(plain).join('');
        const below = [...document.querySelectorAll('.suggest-preview-text .view-line')].map(plain);
        return [here, ...below];
    })()
"""
ROWS = """
    [...document.querySelectorAll('.editor-instance .view-lines > .view-line')]
        .sort((one, other) => parseFloat(one.style.top) - parseFloat(other.style.top))
        .map((row) => row.textContent.replaceAll('\\u00a0', ' ').replaceAll('\\u200b', ''))
"""
BUTTONS = """
    [...document.querySelectorAll('.notification-list-item-buttons-container .monaco-button')]
        .map((button) => button.textContent)
        .filter(Boolean)
"""
CHOICE = """
    (() => {
        const list = document.querySelector('.quick-input-widget');
        const row = list?.checkVisibility() && list.querySelector('.monaco-list-row.focused');
        return row ? row.textContent : '';
    })()
"""
CLICK_BUTTON = """
    (() => {
        const places = ['.notification-list-item-buttons-container', '.workspace-trust-editor'];
        const buttons = document.querySelectorAll(places.map((place) => `${place} .monaco-button`).join());
        const button = [...buttons].find((it) => it.textContent === LABEL);
        button?.click();
        return !!button;
    })()
"""
BAR = "document.querySelector('[id=\"qwen-ls.qwen-ls.qwen-ls\"]')"


class Workbench:
    """One VS Code server and one browser, for many scenarios. Use as a context manager.

    Args:
        installed: where `install.sh` has put it.
        folder: empty; all that it writes lies under it.
        vsixes: the extensions.
    """

    def __init__(self, installed: Path, folder: Path, vsixes: Sequence[Path]) -> None:
        self.folder = folder
        self.home = folder / "home"
        """The user's home folder."""
        self.programs = folder / "programs"
        """The only folder of the PATH, and empty."""
        self.port = free_port()
        for made in (self.home, self.programs):
            made.mkdir()
        for made in ("User", "Machine"):
            (folder / "data" / made).mkdir(parents=True)
        (folder / "data" / "User" / "keybindings.json").write_text(json.dumps(KEYBINDINGS))
        (folder / "profile").mkdir(parents=True)
        program = installed / "bin" / "code-server"
        data = ["--user-data-dir", str(folder / "data"), "--extensions-dir", str(folder / "extensions")]
        self._log = (folder / "code-server.log").open("w")
        common: dict[str, Any] = {"env": self._environ(), "stdout": self._log, "stderr": subprocess.STDOUT}
        for vsix in vsixes:
            subprocess.run([program, *data, "--install-extension", vsix], check=True, **common)
        serve = ["--auth", "none", "--bind-addr", f"127.0.0.1:{self.port}", "--disable-telemetry"]
        quiet = ["--disable-update-check", "--disable-getting-started-override"]
        # It forks: a group of its own, to end all of it.
        self._process = subprocess.Popen([program, *data, *serve, *quiet], start_new_session=True, **common)
        self._browser = Chromium(installed / "bin" / "chromium", folder / "profile")
        self._wait_until_it_serves()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._browser.__exit__()
        os.killpg(self._process.pid, 15)
        self._process.wait(WAIT_S)
        self._log.close()

    def page(self) -> Page:
        """A new window."""
        return self._browser.page()

    def set(self, user: Mapping[str, Any], machine: Mapping[str, Any]) -> None:
        """Write the user's settings, and those of the machine, which are not the browser's."""
        for name, settings in (("User", {**SETTINGS, **user}), ("Machine", machine)):
            (self.folder / "data" / name / "settings.json").write_text(json.dumps(settings))

    def url(self, project: Path, file: Path, line: int, column: int) -> str:
        """The address of a window on a folder, with a file open and the cursor there (from 1)."""
        place = f"vscode-remote://127.0.0.1:{self.port}{file}:{line}:{column}"
        payload = json.dumps([["gotoLineMode", "true"], ["openFile", place]])
        return f"http://127.0.0.1:{self.port}/?folder={quote(str(project))}&payload={quote(payload)}"

    def written(self) -> list[Path]:
        """The files that VS Code has written, the browser's profile left out."""
        return [file for file in (self.folder / "data").rglob("*") if file.is_file()]

    def _environ(self) -> dict[str, str]:
        """No gallery, and nothing of the tester's own settings; all that it writes lies in the folder."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("QWEN_LS_", "DASHSCOPE", "XDG_", "VSCODE", "PYTHON", "UV_", "PIPX_"))
            and "proxy" not in name.lower()
        }
        gallery = {"serviceUrl": NOWHERE, "itemUrl": NOWHERE, "resourceUrlTemplate": NOWHERE}
        folder = str(self.folder)
        return kept | {
            "HOME": str(self.home),
            "PATH": str(self.programs),
            "VSCODE_CLI": "1",  # and no PATH from a login shell
            "TMPDIR": folder,
            "XDG_RUNTIME_DIR": folder,
            "XDG_CONFIG_HOME": f"{folder}/config",
            "XDG_DATA_HOME": f"{folder}/share",
            "EXTENSIONS_GALLERY": json.dumps(gallery),
        }

    def _wait_until_it_serves(self) -> None:
        until = time.monotonic() + START_S
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5):
                    return
            except OSError:
                assert time.monotonic() < until, "code-server does not come up"
                time.sleep(0.1)


class VSCode:
    """One window of it, in one scenario."""

    lacks: ClassVar[Mapping[type[Any] | str, str]] = {}
    changed: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init__(self, workbench: Workbench, stage: Stage) -> None:
        self.workbench, self._stage = workbench, stage
        self._settings: dict[str, Any] = {}
        self.user: dict[str, Any] = {}
        self.machine: dict[str, Any] = {"qwen-ls.server.command": self._command()}
        self.page = workbench.page()
        self.page.before_load(WATCH_MESSAGES)

    def _command(self) -> list[str]:
        """The server, in the stage's surroundings: VS Code itself runs on from one scenario to the next."""
        wanted = ("QWEN_LS_", "XDG_", "HOME", "LANG", "PYTHONPATH", "DASHSCOPE_")
        given = [f"{name}={value}" for name, value in self._stage.environ.items() if name.startswith(wanted)]
        return ["/usr/bin/env", *given, str(self._stage.program)]

    def start(self, path: Path, line: int, column: int) -> None:
        """Open the file with the cursor there (from 0, in UTF-16 units), and wait for the editor alone."""
        self.workbench.set(self.user, self.machine)
        self.page.go(self.workbench.url(self._stage.project, path, line + 1, column + 1))
        self._wait(
            lambda: self.page.evaluate("!!document.querySelector('.editor-instance .view-line')"), START_S
        )
        self._wait(
            lambda: self.page.evaluate("!!document.activeElement?.closest('.editor-instance')"), START_S
        )

    def open(self, path: Path, line: int, column: int) -> None:
        text = path.read_bytes().decode().split("\n")[line][:column]
        self.start(path, line, len(text.encode("utf-16-le")) // 2)
        self._wait(self._is_attached, START_S)

    def _is_attached(self) -> bool:
        """Whether the server has been asked something: it names its model, after all that it registers."""
        return "qwen-coder" in self.bar

    @property
    def bar(self) -> str:
        """What the status bar item says."""
        return str(self.page.evaluate(f"{BAR}?.textContent ?? ''")).strip()

    def type(self, text: str) -> None:
        self.page.type(text)

    def press(self, key: str) -> None:
        self.page.press(key)

    def ghost_on_screen(self) -> str:
        return "\n".join(line.rstrip() for line in self.page.evaluate(GHOST)).rstrip("\n")

    def text_on_screen(self) -> list[str]:
        return [row.rstrip() for row in self.page.evaluate(ROWS)]

    def accept(self) -> None:
        self.press("Tab")

    def accept_word(self) -> None:
        self.press("Control+ArrowRight")

    def accept_line(self) -> None:
        self.press("Alt+l")

    def dismiss(self) -> None:
        self.press("Escape")

    def list_is_open(self) -> bool:
        """Whether the list of completions is open."""
        return bool(self.page.evaluate("!!document.querySelector('.suggest-widget.visible')"))

    def undo(self) -> None:
        self.press("Control+z")

    def save(self) -> None:
        self.press("Control+s")
        self.wait(lambda: not self.page.evaluate("!!document.querySelector('.tab.dirty')"))

    def messages(self) -> list[str]:
        return list(self.page.evaluate("window.shown"))

    def wait(self, condition: Callable[[], Any]) -> None:
        self._wait(condition, WAIT_S)

    def rest(self, seconds: float) -> None:
        time.sleep(seconds)

    def screenshot(self, path: Path) -> None:
        path.with_name(path.name + ".png").write_bytes(self.page.screenshot())

    def kill_server(self) -> None:
        before = len(self._stage.server_pids)
        self._stage.kill_server()
        self.wait_for_server(before + 1)

    def change_settings(self, settings: Mapping[str, Any]) -> None:
        self._settings |= {f"qwen-ls.{name}": value for name, value in settings.items()}
        # The title says when VS Code has read them.
        self._settings["window.title"] = title = f"settings {len(self._settings)}"
        self.write_settings(self._settings)
        self.wait(lambda: self.page.evaluate("document.title") == title)

    def write_settings(self, settings: Mapping[str, Any]) -> None:
        """Write the workspace's own settings."""
        file = self._stage.project / ".vscode" / "settings.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(settings))

    def toggle(self) -> None:
        self.command("Qwen LS: Switch Completions Off or On")

    @property
    def tab(self) -> str:
        """The title of the editor in front."""
        return str(self.page.evaluate("document.querySelector('.tab.active')?.textContent ?? ''"))

    def buttons(self) -> list[str]:
        """The buttons of the messages that are on the screen."""
        return list(self.page.evaluate(BUTTONS))

    def click_button(self, label: str) -> None:
        """Click on a button of a message, or of the page on trust."""
        # By script: messages move, and the page on trust is longer than the window.
        self.wait(lambda: self.page.evaluate(CLICK_BUTTON.replace("LABEL", json.dumps(label))))

    def put_server(self, program: Path) -> None:
        """Put a `qwen-ls` there that runs in the stage's surroundings."""
        words = " ".join(f"'{word}'" for word in self._command())
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        program.chmod(0o755)

    @property
    def output(self) -> str:
        """Which log is shown below."""
        return str(self.page.evaluate("document.querySelector('.panel .monaco-select-box')?.value ?? ''"))

    def wait_for_server(self, number: int) -> None:
        """Wait until the server has been started that often, and answers."""
        self.wait(lambda: not self._is_attached())  # what it says of the one before
        self.wait(lambda: len(self._stage.server_pids) == number)
        self.wait(self._is_attached)

    def open_menu(self) -> None:
        """Click on the status bar item."""
        self.page.click('[id="qwen-ls.qwen-ls.qwen-ls"]')

    def answer(self, text: str) -> None:
        """Type into the field that has been opened in the place of a list."""
        self.wait(lambda: self.page.evaluate("document.activeElement?.type === 'password'"))
        self.type(text)
        self.press("Enter")

    def command(self, title: str) -> None:
        """Run a command from the palette."""
        self.press("F1")
        self.choose(title)

    def choose(self, label: str) -> None:
        """Take a row of the list that is open, or is about to open."""
        self.wait(lambda: self.page.evaluate("!!document.activeElement?.closest('.quick-input-widget')"))
        self.type(label)
        self.wait(lambda: label in self.page.evaluate(CHOICE))
        self.press("Enter")
        self.wait(lambda: label not in self.page.evaluate(CHOICE))

    def quit(self) -> None:
        self.page.go("about:blank")
        self.wait(lambda: self.page.evaluate("document.URL") == "about:blank")
        self.wait(lambda: not any(map(is_alive, self._stage.server_pids)))
        self.page.close()

    def _wait(self, condition: Callable[[], Any], seconds: float) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, (
                f"the screen shows {self.text_on_screen()}, ghost {self.ghost_on_screen()!r}"
            )
            time.sleep(0.03)


def is_alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
