"""Chromium without a window, by its DevTools protocol: as much of it as a test of a page needs."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import subprocess
import time
import urllib.request
from typing import TYPE_CHECKING, Any, Self

from websockets.sync.client import connect

if TYPE_CHECKING:
    from pathlib import Path

WIDTH, HEIGHT = 1000, 560
START_S = 60.0
CALL_S = 60.0
KEY_S = 0.03
"""Between two keys of a quick typist."""

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-component-update",
    "--disable-background-networking",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",  # pages may talk to this machine only
    f"--window-size={WIDTH},{HEIGHT}",
    "--remote-debugging-port=0",
)

MODIFIERS = {"Alt": 1, "Control": 2, "Shift": 8}
KEYS = {
    "Tab": 9,
    "Enter": 13,
    "Escape": 27,
    "Space": 32,
    "End": 35,
    "Home": 36,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "Backspace": 8,
    "F1": 112,
}
"""The keys that are no characters, with their codes."""
TEXTS = {"Tab": "\t", "Enter": "\r"}


class Chromium:
    """A browser of its own. Use as a context manager.

    Args:
        program: the executable.
        folder: its profile.
    """

    def __init__(self, program: Path, folder: Path) -> None:
        command = [str(program), *FLAGS, f"--user-data-dir={folder}", "about:blank"]
        self._errors = (folder.parent / "chromium.log").open("w+b")
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self._errors)
        self._address = self._listening()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(START_S)
        self._errors.close()

    def page(self) -> Page:
        """A new page."""
        request = urllib.request.Request(f"{self._address}/json/new?about:blank", method="PUT")
        with urllib.request.urlopen(request, timeout=CALL_S) as answer:
            return Page(json.load(answer)["webSocketDebuggerUrl"])

    def _listening(self) -> str:
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            self._errors.seek(0)
            if found := re.search(rb"DevTools listening on ws://([^/]+)/", self._errors.read()):
                return f"http://{found.group(1).decode()}"
            assert self._process.poll() is None, "Chromium has ended"
            time.sleep(0.05)
        raise AssertionError("Chromium does not listen")


class Page:
    """A page in it.

    Args:
        url: of its debugger.
    """

    def __init__(self, url: str) -> None:
        self._open = contextlib.ExitStack()
        self._socket = self._open.enter_context(connect(url, max_size=None, open_timeout=CALL_S))
        self._number = 0
        self.call("Page.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol."""
        number = self._send(method, params)
        while True:
            answer = json.loads(self._socket.recv(timeout=CALL_S))
            if answer.get("method") == "Page.javascriptDialogOpening":  # whether to leave the page: yes
                self._send("Page.handleJavaScriptDialog", {"accept": True})
            elif answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def before_load(self, script: str) -> None:
        """Run a script in every document that comes, before its own."""
        self.call("Page.addScriptToEvaluateOnNewDocument", source=script)

    def go(self, url: str) -> None:
        """Begin to load a page."""
        self.call("Page.navigate", url=url)

    def type(self, text: str) -> None:
        """Type characters, one key each."""
        for character in text:
            self._key(character, text=character)
            time.sleep(KEY_S)

    def press(self, key: str) -> None:
        """Press a key by its name, as in `Tab` or `Control+ArrowRight`."""
        *held, name = key.split("+")
        self._key(name, text=TEXTS.get(name, ""), modifiers=sum(MODIFIERS[modifier] for modifier in held))

    def click(self, selector: str) -> None:
        """Click into the middle of the first element there."""
        box = self.evaluate(
            f"(() => {{ const box = document.querySelector({json.dumps(selector)})?.getBoundingClientRect();"
            " return box && [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        assert box, f"there is no {selector}"
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def screenshot(self) -> bytes:
        """What it shows, as a PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def close(self) -> None:
        """Close it, as a user does."""
        self.call("Page.close")
        self._open.close()

    def _send(self, method: str, params: dict[str, Any]) -> int:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        return self._number

    def _key(self, name: str, *, text: str, modifiers: int = 0) -> None:
        number = KEYS.get(name) or (ord(name.upper()) if name.isalnum() else 0)
        place = f"Key{name.upper()}" if len(name) == 1 and name.isalpha() else name if name in KEYS else ""
        event = {"key": name, "code": place, "windowsVirtualKeyCode": number, "modifiers": modifiers}
        down = "keyDown" if text else "rawKeyDown"
        self.call("Input.dispatchKeyEvent", type=down, text=text, **event)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)
