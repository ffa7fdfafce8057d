"""Emacs on a terminal, asked through its own server what cannot be seen."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from typing import TYPE_CHECKING, Any, ClassVar

from tests.cli.terminal import LIMIT_S
from tests.editors.screen import EditorScreen
from tests.editors.stage import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.editors.stage import Stage

PACKAGE = ROOT / "editors" / "emacs"
KEYS = {
    "Tab": "\t",
    "Alt-f": "\x1bf",
    "Control-e": "\x05",
    "Control-g": "\x07",
    "Control-/": "\x1f",
    "Enter": "\r",
}
HAS_TERMINAL = ("sh", "-c", 'exec "$@" <"$(tty)"', "sh")
"""Emacs wants a controlling terminal: the first one that its session opens."""
RECONNECTS_AFTER_S = 3.2
"""A server that dies earlier is not started again by Eglot: `eglot-autoreconnect`, and a little more."""

EARLY_INIT = """
;; Nothing is asked of the terminal, and nothing compiled to machine code.
(setq xterm-extra-capabilities nil
      native-comp-jit-compilation nil
      native-comp-enable-subr-trampolines nil)
"""
INIT = """
(setq inhibit-startup-screen t
      make-backup-files nil
      auto-save-default nil
      create-lockfiles nil
      server-socket-dir {folder}
      server-name "emacs.sock")
(menu-bar-mode -1)
(load-theme 'modus-vivendi t)
(require 'server)
(server-start)
"""
USUAL = """
(add-to-list 'load-path {package})
(require 'qwen-ls)
(qwen-ls-setup)
"""
"""How the package is set up, without a package manager."""


def lisp(text: object) -> str:
    """A string of Emacs Lisp."""
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


class Emacs:
    """The driver.

    Args:
        folder: where `install.sh` has put Emacs.
        init: the part of the user's init file that is about qwen-ls.
    """

    lacks: ClassVar[Mapping[Any, str]] = {}
    changed: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    is_ready = "(and (eglot-managed-p) qwen-ls-mode t)"
    """Lisp that says whether the server has the buffer."""

    def __init__(self, stage: Stage, folder: Path, init: str = USUAL) -> None:
        self.stage, self.folder = stage, folder
        config = stage.home / "config" / "emacs"
        config.mkdir(parents=True)
        (config / "early-init.el").write_text(EARLY_INIT, "utf-8")
        names = {"{folder}": lisp(stage.folder), "{package}": lisp(PACKAGE), "{root}": lisp(folder / "root")}
        text = INIT + init
        for name, value in names.items():
            text = text.replace(name, value)
        (config / "init.el").write_text(text, "utf-8")
        self._socket = stage.folder / "emacs.sock"
        self._ready_at = 0.0
        self.screen: EditorScreen | None = None

    def open(self, path: Path, line: int, column: int) -> None:
        self.start(path)
        self.wait(lambda: self.ask(self.is_ready))
        self._ready_at = time.monotonic()
        self.ask(f"(progn (goto-char (point-min)) (forward-line {line}) (forward-char {column}))")

    def start(self, path: Path) -> None:
        """Start Emacs with a file."""
        command = [*HAS_TERMINAL, str(self.folder / "bin" / "emacs"), "-nw", path.name]
        self.screen = EditorScreen(
            command,
            is_ghost=lambda cell: cell.italics,
            environ=self.stage.environ,
            cwd=path.parent,
        )
        self.wait(lambda: self._socket.exists() and self.ask("(and after-init-time buffer-file-name t)"))

    def ask(self, expression: str) -> Any:
        """The value of a Lisp expression, in the buffer that is seen, through JSON; None where it fails."""
        # Base64, because Lisp's strings are printed differently from JSON's.
        printed = f"""(with-current-buffer (window-buffer)
            (let ((value {expression}))
              (base64-encode-string
               (if (consp value) (json-serialize (vconcat value)) (json-serialize value :null-object nil)) t)))"""
        command = [self.folder / "bin" / "emacsclient", "--socket-name", self._socket, "--eval", printed]
        asking = subprocess.Popen(
            command,
            env=self.stage.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
        end = time.monotonic() + LIMIT_S
        while asking.poll() is None:
            if time.monotonic() > end:
                asking.kill()
            self.screen.step(0.01)  # Emacs does not answer while its screen is not read
        answer = asking.communicate()[0].strip().strip('"')
        return json.loads(base64.b64decode(answer)) if asking.returncode == 0 and answer else None

    def type(self, text: str) -> None:
        self.screen.type(text)

    def press(self, key: str) -> None:
        self.screen.send(KEYS[key])

    def command(self, name: str) -> None:
        """Run a command by its name."""
        self.screen.send(f"\x1bx{name}\r")

    def see(self, ghost: str) -> None:
        """Wait for this ghost text."""
        self.wait(lambda: self.ghost_on_screen() == ghost)

    def ghost_on_screen(self) -> str:
        return self.screen.ghost

    def text_on_screen(self) -> list[str]:
        return self.screen.lines[:-2]

    @property
    def mode_line(self) -> str:
        """The row below the text."""
        return self.screen.lines[-2]

    def accept(self) -> None:
        self.press("Tab")

    def accept_word(self) -> None:
        self.press("Alt-f")

    def accept_line(self) -> None:
        self.press("Control-e")

    def dismiss(self) -> None:
        self.press("Control-g")

    def undo(self) -> None:
        self.press("Control-/")

    def save(self) -> None:
        self.screen.send("\x18\x13")
        self.wait(lambda: self.ask("(not (buffer-modified-p))"))

    def messages(self) -> list[str]:
        lines = self.ask(
            """(with-current-buffer "*Messages*" (split-string (buffer-string) "\\n" t))"""
        )
        return [line for line in lines or [] if "Server reports" in line]

    def wait(self, condition: Callable[[], Any]) -> None:
        self.screen.wait(condition)

    def rest(self, seconds: float) -> None:
        self.screen.rest(seconds)

    def screenshot(self, path: Path) -> None:
        self.screen.save_picture(path, "Emacs 30 with qwen-ls")

    def kill_server(self) -> None:
        self.rest(self._ready_at + RECONNECTS_AFTER_S - time.monotonic())
        before = len(self.stage.server_pids)
        self.stage.kill_server()
        self.wait(lambda: len(self.stage.server_pids) > before and self.ask(self.is_ready))

    def change_settings(self, settings: Mapping[str, Any]) -> None:
        section = " ".join(f":{name} {json.dumps(value)}" for name, value in settings.items())
        self.ask(
            f"""(progn (setq-default eglot-workspace-configuration '(:qwen-ls ({section})))
                       (eglot-signal-didChangeConfiguration (eglot-current-server)) t)"""
        )

    def toggle(self) -> None:
        self.command("qwen-ls-toggle")

    def quit(self) -> None:
        if self.screen is None:
            return
        if self.screen.process.poll() is None:
            # Later, because this is answered first.
            self.ask("(progn (run-at-time 0 nil (lambda () (eglot-shutdown-all) (kill-emacs))) t)")
            self.screen.ended()
        self.screen.__exit__()
        self.screen = None
