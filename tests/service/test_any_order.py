"""Whatever happens in whatever order: an item fits the document that it is returned for.

A model that answers each prompt with something of its own, in pieces and after a while, and an editor that
types, deletes, accepts, moves, cancels and waits. The oracle knows what was asked and what was said, and
nothing of caches or calls in flight.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from qwen_ls.core.text import CLOSERS, QUOTES, current_line_before
from qwen_ls.core.types import Chunk, Completion, CompletionRequest, Document
from tests.service.scripted import AUTOMATIC, INVOKED, Stage, settle

URI = "file:///p/a.py"
BELOW = "\nend_of_it()\n"


@dataclass
class Scene:
    """An editor with one document, a model, and what they have said to each other."""

    stage: Stage
    before: str = "start = "
    after: str = BELOW
    said: list[tuple[str, str, str]] = field(default_factory=list)
    """The text before and after the cursor that the model was asked with, and all that it would answer."""
    asked: list[tuple[str, str, asyncio.Task[Any]]] = field(default_factory=list)

    async def stream(self, request: CompletionRequest) -> Any:
        prefix = request.prompt.prefix
        answer = self.answer(prefix)
        self.said.append((prefix, request.prompt.suffix, answer))
        chance = random.Random(prefix)
        while answer:
            await self.stage.clock.sleep(chance.choice((0.0, 0.05, 0.2)))
            size = chance.randint(1, 6)
            yield Chunk(answer[:size])
            answer = answer[size:]
        yield Chunk("", "stop")

    @staticmethod
    def answer(prefix: str) -> str:
        """Words of few letters, so that what is typed often agrees; never a repetition of what is there."""
        chance = random.Random(prefix[-12:])
        text = "".join(chance.choice("ab(x)\nb") for _ in range(chance.randint(0, 24)))
        return text if not text.startswith(current_line_before(prefix)[:1] or "?") else "x" + text

    def ask(self, *, explicit: bool) -> None:
        document = Document(URI, 1, "python", self.before + self.after)
        trigger = INVOKED if explicit else AUTOMATIC
        task = asyncio.create_task(self.stage.service.complete(document, len(self.before), trigger))
        self.asked.append((self.before, self.after, task))

    def latest(self) -> Completion | None:
        """The item that the editor shows: the last answer, if it was given for the document as it is."""
        before, after, task = self.asked[-1] if self.asked else ("", "", None)
        if (
            task is None
            or not task.done()
            or task.cancelled()
            or (before, after) != (self.before, self.after)
        ):
            return None
        return task.result() if isinstance(task.result(), Completion) else None

    def expected(self) -> str:
        """What the editor shows, or else what the model is about to say here: somebody may well type that."""
        if item := self.latest():
            return item.text
        for asked, _, answer in reversed(self.said):
            if self.before.startswith(asked) and answer.startswith(self.before[len(asked) :]):
                return answer[len(self.before) - len(asked) :]
        return ""

    async def do(self, what: str, how: Any) -> None:
        if what == "wait":
            await self.stage.clock.advance(how)
            return
        if what == "cancel":
            for _, _, task in self.asked:
                task.cancel()
            return
        if what == "type":
            self.before += how
        elif what == "follow":
            self.before += self.expected()[:how]
        elif what == "delete":
            self.before = self.before[: max(len("start"), len(self.before) - how)]
        elif what == "accept" and (item := self.latest()):
            taken = item.text[:how] if how else item.text
            covered = item.end - len(self.before) if taken == item.text else 0
            self.before, self.after = self.before + taken, self.after[covered:]
            self.stage.service.accepted(item.id)
        elif what == "close":
            self.after = ")" + self.after
        elif what == "move":
            text = self.before + self.after
            place = min(max(len("start"), len(self.before) + how), text.index("\nend"))
            self.before, self.after = text[:place], text[place:]
        elif what == "edit below":
            self.after = self.after.replace("end", "end" + "d" * how, 1)
        elif what == "edit above":
            self.before = self.before.replace("start", "start" + "s" * how, 1)
        self.ask(explicit=what == "explicit")
        await settle()


def misfit(scene: Scene, before: str, after: str, item: Completion) -> str | None:
    """What is wrong with an item for the document with the cursor between `before` and `after`."""
    covered = after[: item.end - len(before)]
    if item.start != len(before) or item.end < len(before) or set(covered) - set(CLOSERS + QUOTES + ";,: "):
        return "its range"
    if not item.text or item.text == covered:
        return "it changes nothing"
    line = current_line_before(before)
    for asked, below, answer in scene.said:
        if below.lstrip(CLOSERS) != after.lstrip(CLOSERS):
            continue
        for place in range(len(answer) + 1):
            # Where closers follow, what the answer has opened is closed for it, or they get their own line.
            goes_on = answer.startswith(item.text.rstrip(CLOSERS + " \n"), place)
            if goes_on and current_line_before(asked + answer[:place]) == line:
                return None
    return "nobody has said that here"


OPERATIONS: list[tuple[int, str, list[Any]]] = [
    (8, "follow", [1, 2, 3, 12]),
    (8, "wait", [0.06, 0.3, 1.0]),
    (1, "wait", [30.0]),
    (3, "accept", [0, 0, 1, 3]),
    (3, "type", ["a", "b", "x", "(", ")", "\n", "ab"]),
    (2, "delete", [1, 2, 4]),
    (2, "move", [-8, -2, 2, 8]),
    (1, "edit above", [1, 2]),
    (1, "edit below", [1]),
    (3, "cancel", [None]),
    (1, "close", [None]),
    (1, "explicit", [None]),
    (1, "ask", [None]),
]


def operations(seed: int) -> list[tuple[str, Any]]:
    chance = random.Random(seed)
    kinds = chance.choices(OPERATIONS, [weight for weight, *_ in OPERATIONS], k=60)
    return [(what, chance.choice(how)) for _, what, how in kinds]


async def play(seed: int) -> tuple[list[str], Counter[str]]:
    """What did not fit, and where the items came from."""
    stage = Stage(debounce_ms=50)
    scene = Scene(stage)
    stage.backend.stream = scene.stream  # type: ignore[method-assign]
    await stage.service.warm()
    for what, how in operations(seed):
        await scene.do(what, how)
        assert sum(flight.is_open for flight in stage.service._caller.flights.of(URI)) <= 2
    await stage.clock.advance(60)
    await asyncio.wait_for(asyncio.gather(*(task for *_, task in scene.asked), return_exceptions=True), 5)
    wrong, sources = [], Counter[str]()
    for before, after, task in scene.asked:
        item = None if task.cancelled() else task.result()
        if isinstance(item, Completion):
            sources[item.source] += 1
            if why := misfit(scene, before, after, item):
                wrong.append(f"seed {seed}: {why}: {before!r} + {item.text!r} + {after!r}")
    await stage.service.aclose()
    return wrong, sources


def test_an_item_always_fits() -> None:
    wrong, sources = [], Counter[str]()
    for seed in range(250):
        more, counted = asyncio.run(play(seed))
        wrong += more
        sources += counted
    assert not wrong
    assert set(sources) == {"network", "type-through", "streak", "cache", "walk-back", "fuzzy"}
