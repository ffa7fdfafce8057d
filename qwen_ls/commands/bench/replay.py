"""A replay: a typist types a passage in an editor whose suggestions come from a server.

The same in virtual and in real time. What happens is counted in a `Tally`; a replay that is stopped has
counted what it saw.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from qwen_ls.commands.bench.editor import Editor, fits
from qwen_ls.commands.bench.stopwatch import Stopwatch
from qwen_ls.commands.bench.typist import Habits, Typist, keys_alone
from qwen_ls.core.types import Completion, Reason, Skip, TriggerKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwen_ls.commands.bench.figures import Tally
    from qwen_ls.commands.bench.passage import Passage
    from qwen_ls.core.types import Document


class Server(Protocol):
    """What is typed for: `CompletionService`, or one to compare it with."""

    async def complete(
        self, document: Document, offset: int, trigger: TriggerKind, *, waited_s: float = 0.0
    ) -> Completion | Skip:
        """Answer one request."""
        ...

    def accepted(self, completion_id: str) -> None:
        """The user accepted a completion, whole."""
        ...

    def explain(self) -> dict[str, Any]:
        """Why the last request showed what it showed; may be empty."""
        ...


@dataclass(frozen=True, slots=True)
class Client:
    """How an editor asks."""

    held_back_s: float = 0.0
    """How long it waits after a change before it asks; another change begins it anew."""
    cancels: bool = True
    """Whether a change takes the last request back at once. If not, only the next request supersedes it."""
    closes_brackets: bool = True


VSCODE = Client()
NEOVIM = Client(held_back_s=0.2, cancels=False, closes_brackets=False)
"""`vim.lsp.inline_completion` of Neovim 0.12."""


class Replay:
    """One passage, typed once."""

    def __init__(
        self,
        server: Server,
        passage: Passage,
        tally: Tally,
        *,
        client: Client = VSCODE,
        seed: int = 0,
        habits: Habits | None = None,
        on_key: Callable[[int], None] = lambda n_keys: None,
    ) -> None:
        """Open the document.

        Args:
            server: who is asked.
            passage: what is typed.
            tally: where it is counted.
            client: how the editor asks.
            seed: of the typist.
            habits: of the typist.
            on_key: told how many keys were pressed so far.
        """
        self._server, self._tally, self._client, self._on_key = server, tally, client, on_key
        self._editor = Editor(passage, closes_brackets=client.closes_brackets)
        self._typist = Typist(passage, seed=seed, habits=habits)
        self._passage = passage
        self._keys_alone = keys_alone(passage, seed=seed, habits=habits)
        self._asking: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._shown_id = ""
        self._changed_s = 0.0
        self._awaits_ghost = False

    async def run(self) -> None:
        """Type it all.

        Raises:
            asyncio.CancelledError: it was stopped; what was seen until then is counted.
            Exception: the server failed, which none may.
        """
        tally, clock = self._tally, asyncio.get_running_loop().time
        began_s, cpu_s, memory = clock(), time.process_time(), resident_kib()
        try:
            while True:
                await asyncio.sleep(self._typist.gap_s(self._editor.written))
                if not await self._press():
                    break
                self._on_key(tally.keys)
                if self._failure:
                    raise self._failure
        finally:
            await self._stop()
            written = len(self._editor.written)
            tally.characters += written
            tally.keys_alone += round(self._keys_alone * written / max(len(self._passage.text), 1))
            tally.seconds += clock() - began_s
            tally.cpu_s += time.process_time() - cpu_s
            tally.grown_kib += resident_kib() - memory

    async def _press(self) -> bool:
        """Accept what is shown, or press the next key; False when all is written."""
        editor, typist, tally = self._editor, self._typist, self._tally
        size = typist.takes(editor.written, editor.right_suggestion())
        if size:
            await asyncio.sleep(typist.reaction_s(editor.written))
        # It may have been replaced meanwhile.
        right = editor.right_suggestion()
        takes = bool(size and right)
        key = None if takes else typist.next_key(editor.written)
        if key is None and not takes:
            return False
        tally.keys += 1
        tally.keys_with_ghost += bool(right)
        tally.keys_with_wrong_ghost += bool(editor.suggestion() and not right)
        if key is None:
            self._accept(min(size, len(right)), len(right))
        else:
            editor.press(key)
        self._changed()
        return True

    def _accept(self, size: int, whole: int) -> None:
        self._editor.take(size)
        self._tally.accepted += 1
        self._tally.accepted_characters += size
        if size == whole:
            self._server.accepted(self._shown_id)

    def _changed(self) -> None:
        """Tell the server, as the client does it."""
        loop = asyncio.get_running_loop()
        self._changed_s, self._awaits_ghost = loop.time(), True
        self._saw()
        if self._timer:
            self._timer.cancel()
        if self._client.cancels:
            self._cancel()
        if self._client.held_back_s:
            self._timer = loop.call_later(self._client.held_back_s, self._ask)
        else:
            self._ask()

    def _cancel(self) -> None:
        if self._asking:
            self._asking.cancel()
            self._asking = None

    def _ask(self) -> None:
        """Send the request; the server's protocol layer ends an older one of the same document."""
        self._cancel()
        self._tally.requests += 1
        answering = self._answering(self._editor.document(), self._editor.cursor)
        self._asking = asyncio.get_running_loop().create_task(answering)
        self._tasks.add(self._asking)
        self._asking.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            self._failure = self._failure or task.exception()

    async def _answering(self, document: Document, offset: int) -> None:
        """One request, and what the editor makes of its answer."""
        waited_s, watch = self._client.held_back_s, Stopwatch()
        asked = self._server.complete(document, offset, TriggerKind.AUTOMATIC, waited_s=waited_s)
        try:
            result = await watch.timed(asked)
        finally:
            self._tally.own_s.append(watch.seconds)
        story = self._server.explain()
        self._tally.answered(result, story if story.get("version") == document.version else {})
        if isinstance(result, Completion):
            self._show(result, document)
            self._tally.stale += not fits(result, document, offset) or self._editor.is_misplaced()
        elif result.reason is not Reason.SUPERSEDED:
            self._show(None, document)

    def _show(self, completion: Completion | None, document: Document) -> None:
        editor = self._editor
        before = editor.suggestion()
        if not editor.show(completion, document):
            self._tally.late += 1
            return
        after = editor.suggestion()
        # An editor's suggestion stands only while it agrees with what was typed; one that grows stays.
        self._tally.flicker += bool(before) and not after.startswith(before)
        if completion is not None:
            self._shown_id = completion.id
            self._tally.traffic.was_shown(completion.text)
        self._saw()

    def _saw(self) -> None:
        """Stop the watch where right text is on the screen."""
        if self._awaits_ghost and self._editor.right_suggestion():
            self._tally.delays_s.append(asyncio.get_running_loop().time() - self._changed_s)
            self._awaits_ghost = False

    async def _stop(self) -> None:
        """Take back what is pending."""
        if self._timer:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def resident_kib() -> float:
    """The process's memory, in KiB, where the system says it cheaply (Linux); else 0."""
    if not sys.platform.startswith("linux"):
        return 0.0
    import resource

    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize() / 1024
