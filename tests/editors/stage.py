"""What stands around an editor: a home of its own, a project, `qwen-ls` on the PATH, the fake endpoint."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fake_dashscope import Behaviour, FakeDashScope, Recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.editors.scenarios import Driver, Scenario

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-test"


class Stage:
    """One scenario's surroundings.

    Args:
        folder: empty; everything that is written lies under it.
        fake: the endpoint, as new.
        editor: the editor's name and version, as in `neovim-0.12.4`.
    """

    def __init__(self, folder: Path, fake: FakeDashScope, editor: str) -> None:
        self.folder, self.fake, self.editor = folder, fake, editor
        self.home, self.project = folder / "home", folder / "project"
        self.file = self.project / "unnamed"
        self.scenario = ""
        self._screens = 0
        for made in (self.home, self.project / ".git", folder / "bin"):
            made.mkdir(parents=True)
        self._pids = folder / "servers"
        self._pids.touch()
        self.program = folder / "bin" / "qwen-ls"
        """The server's command; it is first on the PATH of `environ`, too."""
        # `exec`: the number that is written down is the server's own.
        self.program.write_text(
            f'#!/bin/sh\necho $$ >>"{self._pids}"\nexec "{sys.executable}" -m qwen_ls "$@"\n'
        )
        self.program.chmod(self.program.stat().st_mode | stat.S_IXUSR)

    @property
    def environ(self) -> dict[str, str]:
        """The editor's environment: nothing of the tester's own settings, no proxies, no plug-ins."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("QWEN_LS_", "DASHSCOPE", "XDG_", "VIM", "NVIM", "EMACS"))
            and "proxy" not in name.lower()
        }
        folders = {
            f"XDG_{name}_HOME": str(self.home / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")
        }
        return kept | folders | {
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "PATH": f"{self.program.parent}{os.pathsep}{kept['PATH']}",
            "PYTHONPATH": str(ROOT),
            "DASHSCOPE_API_KEY": KEY,
            "QWEN_LS_BASE_URL": self.fake.compat_url,
            "QWEN_LS_CONFIG": os.devnull,
            "QWEN_LS_LEDGER_DIR": str(self.folder / "ledger"),
            "QWEN_LS_STATE_DIR": str(self.folder / "state"),
        }  # fmt: skip

    @contextlib.contextmanager
    def set_for(self, scenario: Scenario) -> Iterator[None]:
        """The file is there and the endpoint behaves, as the scenario wants it."""
        self.scenario = scenario.name
        self.file = self.project / scenario.file_name
        self.file.write_bytes(scenario.content)
        self.fake.answer = lambda asked: continuation(scenario.model, asked)
        self.fake.behaviour = Behaviour(**scenario.behaviour)
        if scenario.is_down:
            self.fake.refuse()
        try:
            yield
        finally:
            if scenario.is_down:
                self.fake.accept()

    @property
    def n_calls(self) -> int:
        """Completions that the endpoint has been asked for."""
        return sum(request.method == "POST" for request in self.fake.requests)

    @property
    def server_pids(self) -> list[int]:
        """The servers that were started, the newest last; some may have ended."""
        return [int(line) for line in self._pids.read_text().split()]

    def kill_server(self) -> None:
        """The newest server dies as if it had crashed."""
        os.kill(self.server_pids[-1], signal.SIGKILL)

    def count(self, what: str) -> int:
        """One of the counts of `qwen-ls stats`, of today; the servers must have ended."""
        command = [sys.executable, "-m", "qwen_ls", "stats", "--json"]
        done = subprocess.run(command, env=self.environ, capture_output=True, check=True)
        return sum(model[what] for model in json.loads(done.stdout)["today"]["models"])

    def screen(self, driver: Driver, name: str = "") -> None:
        """Take a picture, into the folder that `QWEN_LS_SCREENS` names, if it does."""
        if target := os.environ.get("QWEN_LS_SCREENS"):
            self._screens += 1
            folder = Path(target) / self.editor
            folder.mkdir(parents=True, exist_ok=True)
            driver.screenshot(folder / f"{self.scenario}-{name or self._screens}")


def continuation(model: str, asked: Recorded) -> str:
    """What the model says: what follows the text before the cursor in the text that it has in mind."""
    prefix = asked.prefix.replace("\r\n", "\n")
    return model.removeprefix(prefix) if model.startswith(prefix) else ""
