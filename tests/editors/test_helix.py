"""Helix, the real one: suggestions are items of its list, and Tab puts one into the buffer to look at."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

if sys.platform == "win32":
    pytest.skip("needs a pty", allow_module_level=True)

from tests.editors import neighbour
from tests.editors import scenarios as said
from tests.editors.playing import play, playable
from tests.editors.scenarios import LONG, LONG_BEFORE, LONG_BODY, SCENARIOS, Scenario
from tests.editors.screen import ROWS, EditorScreen
from tests.editors.stage import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.editors.stage import Stage

pytestmark = pytest.mark.editors

EDITOR = "helix-25.07.1"
FOLDER = ROOT / "editors" / "helix"
MENU = "281733"
"""The background of Helix's lists, and of its status line."""
CONTROL_C, CONTROL_X, ENTER, ESCAPE, TAB = "\x03", "\x18", "\r", "\x1b", "\t"
WRITTEN_S = 1.5
"""Helix kills its servers as it ends; what they count is in the ledger a second later."""


def in_the_list(step: said.Step) -> said.Step:
    """What is seen of a suggestion in Helix: its first line, and how many more there are."""
    if not isinstance(step, said.See):
        return step
    first, *more = step.ghost.split("\n")
    return said.See(first + (f" ⏎ +{len(more)}" if more else ""))


class Helix:
    """The driver."""

    lacks: ClassVar[Mapping[Any, str]] = {
        said.AcceptWord: "an item of a list is taken whole",
        said.AcceptLine: "an item of a list is taken whole",
    }
    changed: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        scenario.name: {"steps": tuple(map(in_the_list, scenario.steps))} for scenario in SCENARIOS
    } | {
        # The item's text ends with the bracket that it replaces.
        "auto-closed-bracket": {"steps": (said.Type("v"), said.See("alues[0], sep='')"), said.Accept())},
        # Helix asks as soon as one inserts again.
        "server-killed": {
            "steps": (
                said.Type("re"),
                said.See("turn a + b"),
                said.Kill(),
                said.See("turn a + b"),
                said.Accept(),
            )
        },
    }

    def __init__(self, stage: Stage, folder: Path, languages: str = "", config: str = "") -> None:
        self.stage, self.program = stage, folder / "bin" / "hx"
        self.config = stage.home / "config" / "helix"
        self.config.mkdir(parents=True)
        languages = languages or (FOLDER / "languages.toml").read_text("utf-8")
        (self.config / "languages.toml").write_text(languages, "utf-8")
        config = config or (FOLDER / "config.toml").read_text("utf-8")
        (self.config / "config.toml").write_text(config, "utf-8")
        self.screen: EditorScreen | None = None
        self._told: list[str] = []

    def open(self, path: Path, line: int, column: int) -> None:
        self.screen = EditorScreen(
            [str(self.program), f"{path.name}:{line + 1}:{column + 1}"],
            is_ghost=lambda cell: cell.bg == MENU,
            environ={**self.stage.environ, "COLORTERM": "truecolor"},
            cwd=path.parent,
        )
        self.wait(lambda: "NOR" in self.screen.text and self.stage.server_pids)
        self.rest(1.0)
        self.insert()

    def insert(self) -> None:
        """Begin to insert where the cursor is."""
        self.screen.send("i")
        self.wait(lambda: "INS" in self.screen.text)

    def normal(self) -> None:
        """Go to normal mode. An Escape and a key in one read would be Alt and the key."""
        self.rest(0.1)
        if "NOR" not in self.screen.text:
            self.screen.send(ESCAPE)
            self.wait(lambda: "NOR" in self.screen.text)

    def command(self, words: str) -> None:
        """Run a command, from normal mode."""
        self.screen.send(f":{words}\r")
        self.wait(lambda: not self.screen.lines[-1].startswith(":"))

    def type(self, text: str) -> None:
        self.screen.type(text)

    def press(self, key: str) -> None:
        self.screen.send(key)

    @property
    def items(self) -> list[str]:
        """The labels and kinds in the list, from its top."""
        rows = self.screen.ghost_rows(ROWS - 2)
        return [" ".join(row.split()) for row in rows if row.strip()]

    def ghost_on_screen(self) -> str:
        for row in self.screen.ghost_rows(ROWS - 2):
            if row.rstrip().endswith(" text"):
                label = row.strip().removesuffix(" text").rstrip()
                return label.removeprefix(self._word_before())
        return ""

    def _word_before(self) -> str:
        cursor, cells = self.screen.screen.cursor, self.screen.screen.buffer
        row = "".join(cells[cursor.y][column].data for column in range(cursor.x))
        return re.search(r"\w*\Z", row).group()

    def text_on_screen(self) -> list[str]:
        return [line[7:] for line in self.screen.lines[: ROWS - 2]]

    def accept(self) -> None:
        self.screen.send(TAB)
        self.rest(0.1)
        self.screen.send(ENTER)

    def accept_word(self) -> None:
        raise NotImplementedError

    accept_line = accept_word

    def dismiss(self) -> None:
        self.screen.send(CONTROL_C)

    def undo(self) -> None:
        self.normal()
        self.screen.send("u")

    def save(self) -> None:
        self.normal()
        self.screen.send(":write\r")
        self.wait(lambda: "written" in self.screen.lines[-1])

    def messages(self) -> list[str]:
        return self._told

    def wait(self, condition: Callable[[], Any]) -> None:
        self.screen.wait(condition, each=self._look)

    def rest(self, seconds: float) -> None:
        self.screen.rest(seconds)
        self._look()

    def _look(self) -> None:
        line = self.screen.lines[-1]
        if line and not line.startswith((":", "Loaded")) and (not self._told or self._told[-1] != line):
            self._told.append(line)

    def screenshot(self, path: Path) -> None:
        self.screen.save_picture(path, "Helix with qwen-ls")

    def kill_server(self) -> None:
        self.stage.kill_server()
        self.restart()

    def restart(self) -> None:
        """Start the server anew, as the user has to."""
        before = len(self.stage.server_pids)
        self.normal()
        self.command("lsp-restart")
        self.wait(lambda: len(self.stage.server_pids) > before)
        self.rest(1.0)
        self.insert()

    def change_settings(self, settings: Mapping[str, Any]) -> None:
        values = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
        with (self.config / "languages.toml").open("a", encoding="utf-8") as file:
            file.write(f"\n[language-server.qwen-ls.config]\n{values}")
        self.normal()
        self.command("config-reload")
        self.insert()
        self.restart()

    def toggle(self) -> None:
        self.normal()
        self.command("lsp-workspace-command qwen-ls.toggle")
        self.insert()

    def quit(self) -> None:
        if self.screen is None:
            return
        if self.screen.process.poll() is None:
            self.normal()
            self.rest(WRITTEN_S)
            self.screen.send(":quit-all!\r")
            self.screen.ended()
        self.screen.__exit__()
        self.screen = None


@pytest.mark.parametrize("scenario", playable(Helix))
def test_helix(scenario: Scenario, installed: Callable[[str], Path], stage: Callable[[str], Stage]) -> None:
    folder = installed(EDITOR)
    play(scenario, stage(EDITOR), lambda stage: Helix(stage, folder))


# What only Helix has.

RETURN = Scenario("helix", said.FUNCTION, said.RETURN, (), said.RETURNED)
BLOCK = Scenario("helix", said.BLOCK, said.TOTAL, (), said.TOTALLED)


WITH_NEIGHBOUR = """
[language-server.qwen-ls]
command = "qwen-ls"
[language-server.neighbour]
command = {python}
args = ["-m", "tests.editors.neighbour", "{takes_s}"]
[[language]]
name = "python"
language-servers = {servers}
"""


@pytest.fixture
def prepare(
    installed: Callable[[str], Path], stage: Callable[[str], Stage]
) -> Iterator[Callable[..., Helix]]:
    """Makes a Helix for a scenario without steps, its file open, ready to type."""
    with contextlib.ExitStack() as stack:

        def made(scenario: Scenario = BLOCK, *, servers: tuple[str, ...] = (), takes_s: float = 0.0) -> Helix:
            languages = ""
            if servers:
                python, names = json.dumps(sys.executable), json.dumps(servers)
                languages = WITH_NEIGHBOUR.format(python=python, servers=names, takes_s=takes_s)
            helix = Helix(stage(EDITOR), installed(EDITOR), languages)
            stack.enter_context(helix.stage.set_for(scenario))
            stack.callback(helix.quit)
            helix.open(helix.stage.file, *scenario.cursor)
            return helix

        yield made


def previewed(helix: Helix, scenario: Scenario) -> list[str]:
    """The rows of the file with the whole suggestion in them, after Tab; what hangs over them is cut."""
    helix.type(" ")
    helix.wait(lambda: any("⏎" in item for item in helix.items))
    helix.press(TAB)
    wanted = scenario.model.split("\n")
    helix.wait(
        lambda: (
            [row[: len(want)] for row, want in zip(helix.text_on_screen(), wanted, strict=False)] == wanted
        )
    )
    return helix.text_on_screen()


def test_tab_shows_all_lines_in_the_buffer(prepare: Callable[..., Helix]) -> None:
    helix = prepare(LONG)
    rows = previewed(helix, LONG)
    helix.stage.screen(helix)
    before, _, after = LONG_BEFORE.partition("   █")
    wanted = (before + LONG_BODY + after).rstrip("\n").split("\n")
    below = before.count("\n") + len(LONG_BODY.split("\n"))
    assert [row for row in rows[: len(wanted)] if "⏎" not in row] == wanted[:below] + wanted[below + 1 :]
    helix.press(ENTER)
    helix.wait(lambda: not helix.items)
    helix.save()
    assert helix.stage.file.read_text("utf-8") == LONG_BEFORE.replace("   █", LONG_BODY)


def test_control_c_takes_the_preview_back(prepare: Callable[..., Helix]) -> None:
    helix = prepare()
    previewed(helix, BLOCK)
    helix.press(CONTROL_C)
    helix.wait(lambda: not helix.items)
    helix.save()
    helix.quit()
    assert helix.stage.file.read_text("utf-8") == said.BLOCK.replace("█", " ")
    assert helix.stage.count("accepted") == 0


def test_escape_without_a_preview_leaves_nothing(prepare: Callable[..., Helix]) -> None:
    helix = prepare()
    helix.type(" ")
    helix.wait(lambda: helix.items)
    helix.save()
    helix.quit()
    assert helix.stage.file.read_text("utf-8") == said.BLOCK.replace("█", " ")
    assert helix.stage.count("accepted") == 0


def test_escape_keeps_a_preview(prepare: Callable[..., Helix]) -> None:
    helix = prepare()
    previewed(helix, BLOCK)
    helix.save()
    helix.quit()
    assert helix.stage.file.read_text("utf-8") == said.TOTALLED
    assert helix.stage.count("accepted") == 1


def test_enter_is_a_new_line_where_nothing_was_chosen(prepare: Callable[..., Helix]) -> None:
    helix = prepare(RETURN)
    helix.type("re")
    helix.wait(lambda: helix.items)
    helix.press(ENTER)
    helix.wait(lambda: not helix.items)
    helix.save()
    assert helix.stage.file.read_text("utf-8").startswith("def add(a, b):\n    re\n")


def test_a_suggestion_on_request(prepare: Callable[..., Helix]) -> None:
    helix = prepare(RETURN)
    helix.type("re")
    helix.wait(lambda: helix.items)
    helix.dismiss()
    helix.wait(lambda: not helix.items)
    helix.press(CONTROL_X)
    helix.wait(lambda: helix.ghost_on_screen() == "turn a + b")


NEVER_MS = 60_000.0


def test_the_languages_own_server_never_waits(prepare: Callable[..., Helix]) -> None:
    never = replace(RETURN, behaviour={"ttfb_ms": NEVER_MS})
    helix = prepare(never, servers=("neighbour", "qwen-ls"))
    helix.type("re")
    helix.wait(lambda: helix.items)
    assert sorted(helix.items) == [f"{word} variable" for word in neighbour.WORDS]


def test_where_there_is_no_suggestion_the_languages_list_is_shown_however_late(
    prepare: Callable[..., Helix],
) -> None:
    helix = prepare(replace(RETURN, model="x = 2"), servers=("neighbour", "qwen-ls"), takes_s=1.0)
    helix.type("re")
    helix.wait(lambda: helix.items)
    assert sorted(helix.items) == [f"{word} variable" for word in neighbour.WORDS]
    assert helix.stage.n_calls


@pytest.mark.parametrize(
    ("servers", "place"),
    [
        pytest.param(("neighbour", "qwen-ls"), 0, id="listed last: above"),
        pytest.param(("qwen-ls", "neighbour"), -1, id="listed first: below"),
    ],
)
def test_a_late_suggestion_joins_the_list_that_is_open(
    prepare: Callable[..., Helix], servers: tuple[str, ...], place: int
) -> None:
    slow = replace(RETURN, behaviour={"ttfb_ms": 1500.0})
    helix = prepare(slow, servers=servers)
    helix.type("re")
    helix.wait(lambda: len(helix.items) == len(neighbour.WORDS))
    assert "return a + b text" not in helix.items
    helix.wait(lambda: len(helix.items) == len(neighbour.WORDS) + 1)
    helix.stage.screen(helix)
    assert helix.items[place] == "return a + b text"
