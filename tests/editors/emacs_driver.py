"""Emacs on a terminal, asked through its own server what cannot be seen."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, ClassVar

from tests.editors.scenarios import Accept, AcceptLine, AcceptWord, See, Type
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
(set-face-background 'default "unspecified-bg")
(require 'server)
(server-start)
"""
LSP_MODE = """
;; What a package manager does for lsp-mode, and nothing that asks or downloads.
(dolist (folder (directory-files {packages} t directory-files-no-dot-files-regexp))
  (add-to-list 'load-path folder)
  (dolist (autoloads (directory-files folder t "-autoloads[.]el$"))
    (load autoloads nil t)))
(setq lsp-auto-guess-root t
      lsp-enable-suggest-server-download nil
      lsp-client-packages nil
      lsp-diagnostics-provider :none ; its margin moves the text
      lsp-headerline-breadcrumb-enable nil)
(require 'lsp-mode)
(require 'lsp-inline-completion)
"""
ITALIC = """
;; Ghost text is told by being italic.
(set-face-attribute '{face} nil :slant 'italic)
"""


def readme(line: str) -> str:
    """The first Lisp that comes after a line of the README."""
    text = (PACKAGE / "README.md").read_text("utf-8")
    _, found, below = text.partition(f"\n{line}\n")
    assert found, f"the README has no {line!r}"
    return below.partition("```elisp\n")[2].partition("```")[0]


def lisp(text: object) -> str:
    """A string of Emacs Lisp."""
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


class Emacs:
    """The driver, with the package from a checkout.

    Args:
        folder: where `install.sh` has put Emacs.
        init: what else is in the user's init file.
    """

    lacks: ClassVar[Mapping[Any, str]] = {}
    changed: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    setup = readme("Or from a checkout:")
    """The part of the user's init file that is about qwen-ls."""
    is_ready = "(and (eglot-managed-p) qwen-ls-mode t)"
    """Lisp that says whether the server has the buffer."""
    shutdown = "(eglot-shutdown-all)"
    """Lisp that ends the server; so that what it has counted can be looked at."""

    def __init__(self, stage: Stage, folder: Path, init: str = "") -> None:
        self.stage, self.folder = stage, folder
        config = stage.home / "config" / "emacs"
        config.mkdir(parents=True)
        (config / "early-init.el").write_text(EARLY_INIT, "utf-8")
        text = INIT.replace("{folder}", lisp(stage.folder))
        packages = folder / "root" / "usr" / "share" / "emacs" / "site-lisp" / "elpa-src"
        setup = self.setup.replace("{packages}", lisp(packages))
        (config / "init.el").write_text(text + setup + init, "utf-8")
        checkout = stage.home / "src" / "qwen-ls"  # where the README has it
        checkout.parent.mkdir()
        checkout.symlink_to(ROOT)
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
            environ=self.stage.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"},
            cwd=path.parent,
        )
        self.wait(lambda: self._socket.exists() and self.ask("(and after-init-time buffer-file-name t)"))

    def ask(self, expression: str) -> Any:
        """The value of a Lisp expression, in the buffer that is seen, through JSON; None where it fails."""
        answer = self.stage.folder / "answer.json"
        # By a file, because Lisp's strings are printed differently from JSON's, and long ones in pieces.
        printed = f"""(with-current-buffer (window-buffer)
            (let ((value {expression}) (coding-system-for-write 'no-conversion))
              (write-region
               (if (consp value) (json-serialize (vconcat value)) (json-serialize value :null-object nil))
               nil {lisp(answer)} nil 'silent)))"""
        command = [self.folder / "bin" / "emacsclient", "--socket-name", self._socket, "--eval", printed]
        status, _ = self.screen.run(command, self.stage.environ)
        if status != 0 or not answer.exists():
            return None
        value = json.loads(answer.read_bytes())
        answer.unlink()
        return value

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

    def log(self) -> list[str]:
        """What has been in the echo area."""
        return self.ask("""(with-current-buffer "*Messages*" (split-string (buffer-string) "\\n" t))""") or []

    def messages(self) -> list[str]:
        return [line for line in self.log() if "Server reports" in line]

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
            self.ask(f"(progn (run-at-time 0 nil (lambda () {self.shutdown} (kill-emacs))) t)")
            self.screen.ended()
        self.screen.__exit__()
        self.screen = None


class EmacsAlone(Emacs):
    """Eglot and `completion-preview-mode`, without the package."""

    no_part = "completion-preview-mode of Emacs 30 inserts all or nothing"
    lacks: ClassVar[Mapping[Any, str]] = {AcceptWord: no_part, AcceptLine: no_part}
    setup = readme("## Without the package") + ITALIC.replace("{face}", "completion-preview-exact")
    is_ready = "(and (eglot-managed-p) t)"

    def toggle(self) -> None:
        self.command("completion-preview-mode")


class LspMode(Emacs):
    """lsp-mode with its own inline completion."""

    no_part = "lsp-mode 10 inserts all or nothing"
    lacks: ClassVar[Mapping[Any, str]] = {
        AcceptWord: no_part,
        AcceptLine: no_part,
        "accept-right-after-a-key": "lsp-mode 10 hides a suggestion at each key, and asks again",
    }
    changed: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        # It draws a suggestion over what that replaces.
        "auto-closed-bracket": {"steps": (Type("v"), See("alues[0], sep='')"), Accept())},
    }
    setup = (
        LSP_MODE
        + readme("## With lsp-mode")
        + readme(
            "`C-RET` accepts, which many terminals cannot send; for those, and if you like `TAB` better:"
        )
        + readme(
            "What `C-g` dismisses is news to the server if it is told, which lsp-mode does not do by itself:"
        )
        + ITALIC.replace("{face}", "lsp-inline-completion-overlay-face")
        + "(set-face-attribute 'italic nil :slant 'normal)"  # that of its hints in the echo area
    )
    is_ready = """(and (bound-and-true-p lsp-inline-completion-mode)
        (equal (mapcar #'lsp--workspace-status (lsp-workspaces)) '(initialized)) t)"""
    shutdown = "(lsp-workspace-shutdown (car (lsp-workspaces)))"

    def change_settings(self, settings: Mapping[str, Any]) -> None:
        pairs = " ".join(f'("qwen-ls.{name}" {json.dumps(value)})' for name, value in settings.items())
        self.ask(
            f"""(progn (lsp-register-custom-settings '({pairs}))
                       (lsp--set-configuration (lsp-configuration-section "qwen-ls")) t)"""
        )

    def messages(self) -> list[str]:
        return [line for line in self.log() if line.startswith("LSP :: ") and "://" in line]

    def toggle(self) -> None:
        self.command("lsp-inline-completion-mode")
