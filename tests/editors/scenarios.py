"""What must work in every editor, as data: `SCENARIOS`, played by `playing.play` through a `Driver`.

A scenario is a file with the cursor in it, a model that knows how the text goes on, what the user does and
sees, and the bytes that the file has at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from tests.marked import CURSOR

# What happens, one step after the other.


@dataclass(frozen=True)
class Type:
    """The user types."""

    keys: str
    calls: bool = True
    """False: the ghost text shrinks along, and the endpoint hears nothing of it."""


@dataclass(frozen=True)
class See:
    """The screen comes to show this ghost text and no other; lines without the blanks at their ends."""

    ghost: str
    row: str = ""
    """A whole row of the screen, text and ghost text together, as far as the editor draws it there."""


@dataclass(frozen=True)
class SeeNothing:
    """There is no ghost text, and none comes."""


@dataclass(frozen=True)
class Called:
    """The endpoint has had another call since the last time this, or the end of a `Type`, was looked at."""


@dataclass(frozen=True)
class Accept:
    """The user takes the whole suggestion."""


@dataclass(frozen=True)
class AcceptWord:
    """The user takes the suggestion's next word."""


@dataclass(frozen=True)
class AcceptLine:
    """The user takes the suggestion's first line."""


@dataclass(frozen=True)
class Dismiss:
    """The user wants the suggestion gone, and goes on where the cursor is."""


@dataclass(frozen=True)
class Undo:
    """The user undoes once."""


@dataclass(frozen=True)
class Told:
    """The editor has shown exactly one message of the server's, with all of these words in it."""

    words: tuple[str, ...]


@dataclass(frozen=True)
class Kill:
    """The server's process dies; the editor, or its user, starts another."""


@dataclass(frozen=True)
class Change:
    """The user changes settings, as one does in this editor; what is not named is as before."""

    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Toggle:
    """The user switches completions off, or on again."""


Step = (
    Type | See | SeeNothing | Called | Accept | AcceptWord | AcceptLine | Dismiss | Undo | Told | Kill
    | Change | Toggle
)  # fmt: skip


@dataclass(frozen=True)
class Scenario:
    """One thing that must work."""

    name: str
    initial: str
    """The file's text, with `█` where the cursor is."""
    model: str
    """What the model takes the file for, from its beginning to where the model stops.

    It says what follows the text before the cursor in this, and nothing where this does not begin with that.
    """
    steps: tuple[Step, ...]
    final: str
    """The saved file's text."""
    file_name: str = "sums.py"
    newline: str = "\n"
    """The file's line ends, before and after."""
    behaviour: Mapping[str, Any] = field(default_factory=dict)
    """Switches of the fake endpoint, by the names of `tests.fake_dashscope.Behaviour`."""
    is_down: bool = False
    """Whether connections to the endpoint are refused."""
    accepted: int | None = None
    """How many accepted suggestions `qwen-ls stats` must show, where that is looked at."""

    @property
    def content(self) -> bytes:
        """The file's first bytes."""
        return self.initial.replace(CURSOR, "").replace("\n", self.newline).encode()

    @property
    def saved(self) -> bytes:
        """The file's last bytes."""
        return self.final.replace("\n", self.newline).encode()

    @property
    def cursor(self) -> tuple[int, int]:
        """The cursor's line and column, from 0, in characters."""
        before = self.initial[: self.initial.index(CURSOR)]
        return before.count("\n"), len(before.rpartition("\n")[2])


# What an editor must be able to do.


class Driver(Protocol):
    """A real editor, started anew for each scenario. Waiting is bounded and ends in an AssertionError."""

    lacks: ClassVar[Mapping[type[Any] | str, str]]
    """Steps, and names of scenarios, that this editor has no such thing for, and why."""
    changed: ClassVar[Mapping[str, Mapping[str, Any]]]
    """Scenarios in which this editor differs by its nature: the fields of `Scenario` to replace, by name."""

    def open(self, path: Path, line: int, column: int) -> None:
        """Open the file with the cursor there (from 0, in characters), ready to type, the server attached."""

    def type(self, text: str) -> None:
        """Type characters, one key each, as fast as a quick typist."""

    def press(self, key: str) -> None:
        """Press a key by its name in this editor."""

    def ghost_on_screen(self) -> str:
        """The ghost text that the screen shows now, trailing blanks cut; "" where there is none."""

    def text_on_screen(self) -> list[str]:
        """The rows of the screen that show the file, text and ghost text together, trailing blanks cut."""

    def accept(self) -> None:
        """Take the suggestion, and wait for nothing."""

    def accept_word(self) -> None:
        """Take a word of it."""

    def accept_line(self) -> None:
        """Take a line of it."""

    def dismiss(self) -> None:
        """Have it gone."""

    def undo(self) -> None:
        """Undo once."""

    def save(self) -> None:
        """Save the file; it has been written when this returns."""

    def messages(self) -> list[str]:
        """The server's messages that the editor has shown to the user so far."""

    def wait(self, condition: Any) -> None:
        """Let the editor run until the condition, a function, holds."""

    def rest(self, seconds: float) -> None:
        """Let the editor run for a time, its screen kept up to date."""

    def screenshot(self, path: Path) -> None:
        """Write what the screen shows to `path` plus the suffix of its kind: .svg or .png."""

    def kill_server(self) -> None:
        """Kill the server's process, and do what a user has to do for another one, if anything."""

    def change_settings(self, settings: Mapping[str, Any]) -> None:
        """Change settings of the running server the way this editor does it."""

    def toggle(self) -> None:
        """Switch completions off, or on again."""

    def quit(self) -> None:
        """End the editor; the server has ended too when this returns. May be called twice."""


# The list.

FUNCTION = "def add(a, b):\n    █\n\nx = 1\n"
RETURN = "def add(a, b):\n    return a + b"
RETURNED = "def add(a, b):\n    return a + b\n\nx = 1\n"
BLOCK = "def add(a, b):\n   █\n\nx = 1\n"
"""One blank short of a block's indentation: the key that asks for the block is a blank."""
TOTAL = "def add(a, b):\n    total = a + b\n    return total"
TOTALLED = "def add(a, b):\n    total = a + b\n    return total\n\nx = 1\n"
BLOCK_GHOST = "total = a + b\n    return total"

SCENARIOS = (
    Scenario(
        "accept",
        FUNCTION,
        RETURN,
        (Type("re"), See("turn a + b", row="    return a + b"), Accept(), SeeNothing()),
        RETURNED,
        accepted=1,
    ),
    Scenario(
        "type-through",
        FUNCTION,
        RETURN,
        (
            Type("re"),
            See("turn a + b"),
            Type("turn a", calls=False),
            See(" + b", row="    return a + b"),
            Accept(),
        ),
        RETURNED,
        accepted=1,
    ),
    Scenario(
        "type-through-to-the-end",
        FUNCTION,
        RETURN,
        (Type("re"), See("turn a + b"), Type("turn a + b"), SeeNothing()),
        RETURNED,
    ),
    Scenario(
        "accept-right-after-a-key",
        FUNCTION,
        RETURN,
        (Type("re"), See("turn a + b"), Type("turn"), Accept()),
        RETURNED,
    ),
    Scenario(
        "typed-past",
        FUNCTION,
        RETURN,
        (Type("re"), See("turn a + b"), Type("x"), SeeNothing()),
        "def add(a, b):\n    rex\n\nx = 1\n",
        accepted=0,
    ),
    Scenario(
        "accept-word",
        FUNCTION,
        RETURN,
        (Type("re"), See("turn a + b"), AcceptWord(), See(" a + b", row="    return a + b")),
        "def add(a, b):\n    return\n\nx = 1\n",
    ),
    Scenario(
        "accept-word-then-all",
        FUNCTION,
        RETURN,
        (Type("re"), See("turn a + b"), AcceptWord(), See(" a + b"), Accept()),
        RETURNED,
        accepted=1,
    ),
    Scenario(
        "accept-line",
        BLOCK,
        TOTAL,
        (Type(" "), See(BLOCK_GHOST), AcceptLine(), See("    return total"), Accept()),
        TOTALLED,
    ),
    Scenario(
        "dismiss",
        FUNCTION,
        RETURN,
        (Type("re"), See("turn a + b"), Dismiss(), SeeNothing()),
        "def add(a, b):\n    re\n\nx = 1\n",
        accepted=0,
    ),
    Scenario(
        "auto-closed-bracket",
        "values = [1, 2]\nprint(█)\n",
        "values = [1, 2]\nprint(values[0], sep='')",
        (Type("v"), See("alues[0], sep=''", row="print(values[0], sep='')"), Accept()),
        "values = [1, 2]\nprint(values[0], sep='')\n",
    ),
    Scenario("multi-line", BLOCK, TOTAL, (Type(" "), See(BLOCK_GHOST), Accept()), TOTALLED, accepted=1),
    Scenario("crlf", BLOCK, TOTAL, (Type(" "), See(BLOCK_GHOST), Accept()), TOTALLED, newline="\r\n"),
    Scenario(
        "emoji",
        "wave = '🦙é', █\n",
        "wave = '🦙é', name",
        (Type("n"), See("ame", row="wave = '🦙é', name"), Accept()),
        "wave = '🦙é', name\n",
    ),
    Scenario(
        "undo",
        BLOCK,
        TOTAL,
        (Type(" "), See(BLOCK_GHOST), Accept(), Undo()),
        "def add(a, b):\n    \n\nx = 1\n",
    ),
    Scenario(
        "slow-endpoint",
        FUNCTION,
        RETURN,
        (Type("re"), See("turn a + b"), Accept()),
        RETURNED,
        behaviour={"ttfb_ms": 1200.0},
    ),
    Scenario(
        "endpoint-down",
        FUNCTION,
        RETURN,
        (Type("re"), Told(("127.0.0.1",)), SeeNothing(), Type("turn"), SeeNothing(), Told(("127.0.0.1",))),
        "def add(a, b):\n    return\n\nx = 1\n",
        is_down=True,
    ),
    Scenario(
        "server-killed",
        FUNCTION,
        RETURN,
        (Type("re"), See("turn a + b"), Kill(), Type("t"), Called(), See("urn a + b"), Accept()),
        RETURNED,
    ),
    Scenario(
        "settings-changed",
        BLOCK,
        TOTAL,
        (Type(" "), See(BLOCK_GHOST), Change({"maxLines": 1}), Type("t"), See("otal = a + b"), Accept()),
        "def add(a, b):\n    total = a + b\n\nx = 1\n",
    ),
    Scenario(
        "toggle",
        FUNCTION,
        RETURN,
        (
            Type("r"),
            See("eturn a + b"),
            Toggle(),
            Type("e"),
            SeeNothing(),
            Toggle(),
            Type("t"),
            See("urn a + b"),
            Accept(),
        ),
        RETURNED,
    ),
)

LONG_BEFORE = """\
from collections import Counter
from pathlib import Path


def most_common_words(path: Path, n: int) -> list[str]:
   █


print(*most_common_words(Path("README.md"), 10), sep="\\n")
"""
LONG_BODY = """\
    words = path.read_text("utf-8").lower().split()
    counts = Counter(word.strip(".,;:!?()") for word in words)
    return [word for word, _ in counts.most_common(n) if word]"""
LONG = Scenario(
    "long", LONG_BEFORE, LONG_BEFORE.partition("   █")[0] + LONG_BODY, (), "", file_name="words.py"
)
"""What the pictures of the READMEs show; no scenario, since its steps differ by editor."""
