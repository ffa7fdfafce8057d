"""Related: code from elsewhere in the workspace, gathered in a thread while the service waits.

A search has `LIMIT_S` from its beginning; what comes later serves the next request. Nothing here raises, and
the event loop only copies what has changed since it was copied last.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qwen_ls.core.budget import room_for_snippets
from qwen_ls.core.retrieval.arrangement import Arrangement, Found
from qwen_ls.core.types import Surroundings
from qwen_ls.search import MOST_DOCUMENTS, Copy, Query, Searcher, last_lines, without_last_word

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable
    from pathlib import Path

    from qwen_ls.core.types import CompletionContext, Prompt
    from qwen_ls.search import OpenDocument, Workspace
    from qwen_ls.settings import Settings

logger = logging.getLogger(__name__)

LIMIT_S = 0.1
"""How long a request waits for its search, the wait for the next key included."""
_NOTHING = Found()


@dataclass(slots=True)
class Gathered:
    """What has been found for one question, and what the document's prompts keep."""

    share: float = 0.0
    """The part of a prompt's budget that snippets may have."""
    found: Found = _NOTHING
    arrangement: Arrangement = field(default_factory=Arrangement)

    def around(self, context: CompletionContext, tokens: int) -> Surroundings:
        """What a prompt of so many tokens shows."""
        room = room_for_snippets(context.prefix, context.suffix, tokens, self.share)
        snippets = self.arrangement.admit(self.found, room)
        return Surroundings(self.found.repo, self.found.path, snippets, self.arrangement.last_suffix)

    def sent(self, prompt: Prompt) -> None:
        """This prompt was made of it: the next one keeps what it can."""
        self.arrangement.last_suffix = prompt.suffix


@dataclass(slots=True)
class _Search:
    """The last search, on its way or done."""

    uri: str
    key: Hashable
    started_s: float
    done: asyncio.Future[None]


class Related:
    """Gathers related code for the documents of one session."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Look at nothing, until `look_at` says where there is something.

        Args:
            clock: seconds, ever growing.
            sleep: waits for seconds.
        """
        self._clock, self._sleep = clock, sleep
        self._workspace: Workspace | None = None
        self._roots: tuple[Path, ...] = ()
        self._searcher: Searcher | None = None
        self._copies: dict[str, Copy] = {}
        self._found: dict[str, Found] = {}
        self._arrangements: dict[str, Arrangement] = {}
        self._search: _Search | None = None

    def look_at(self, workspace: Workspace, roots: tuple[Path, ...]) -> None:
        """Search these documents, and files below these folders."""
        self._workspace, self._roots = workspace, roots
        self.clear()

    def begin(self, context: CompletionContext, settings: Settings) -> None:
        """Start a search, unless one is on its way or the last one still holds. Costs next to nothing."""
        if not settings.context or self._workspace is None or self._is_searching():
            return
        uri, before = context.document.uri, last_lines(context)
        documents = sorted(self._workspace.open_documents(), key=lambda document: -document.revision)
        others = [document for document in documents if document.uri != uri][:MOST_DOCUMENTS]
        key = (uri, without_last_word(before), tuple((one.uri, one.revision) for one in others))
        if self._search is not None and self._search.key == key:
            return
        own = next((Copy.of(document, is_own=True) for document in documents if document.uri == uri), None)
        copies = tuple(map(self._copy, others))
        query = Query(context, before, own, copies, self._arrangement(uri).snippets)
        searcher = self._searcher
        if searcher is None or searcher.exclude != settings.exclude:
            searcher = self._searcher = Searcher(self._roots, settings.exclude)
        loop = asyncio.get_running_loop()
        thread = loop.run_in_executor(None, searcher.search, query)
        search = self._search = _Search(uri, key, self._clock(), loop.create_future())
        thread.add_done_callback(lambda future: self._ended(search, future))

    async def gather(self, context: CompletionContext, settings: Settings) -> Gathered:
        """What is found for a context: by the search that was begun for it, or by one of its own, if in time.

        Raises:
            asyncio.CancelledError: the waiter was cancelled; the search goes on, and serves the next request.
        """
        uri = context.document.uri
        self.begin(context, settings)
        if (search := self._search) is not None and search.uri == uri and settings.context:
            await self._within_limit(search)
        return self.known(uri, settings)

    def known(self, uri: str, settings: Settings) -> Gathered:
        """What has been found for a document so far."""
        share = settings.context_share if settings.context else 0.0
        return Gathered(share, self._found.get(uri, _NOTHING), self._arrangement(uri))

    def forget(self, uri: str) -> None:
        """The document was closed."""
        for table in (self._copies, self._found, self._arrangements):
            table.pop(uri, None)
        if self._search is not None and self._search.uri == uri:
            self._search = None

    def clear(self) -> None:
        """Forget everything: what may be shown has changed."""
        self._searcher = None
        self._search = None
        for table in (self._copies, self._found, self._arrangements):
            table.clear()

    def _is_searching(self) -> bool:
        return self._search is not None and not self._search.done.done()

    def _arrangement(self, uri: str) -> Arrangement:
        return self._arrangements.setdefault(uri, Arrangement())

    def _copy(self, document: OpenDocument) -> Copy:
        """Another document, copied once a revision."""
        known = self._copies.get(document.uri)
        if known is None or known.revision != document.revision:
            known = self._copies[document.uri] = Copy.of(document, is_own=False)
        return known

    def _ended(self, search: _Search, thread: asyncio.Future[Found]) -> None:
        """Keep what a search has found, unless all was forgotten meanwhile."""
        if not thread.cancelled():
            if (error := thread.exception()) is not None:
                # The message may hold the user's text.
                logger.warning("searching related code failed: %s", type(error).__name__)
            elif self._search is search:
                self._found[search.uri] = thread.result()
        if not search.done.done():
            search.done.set_result(None)

    async def _within_limit(self, search: _Search) -> None:
        """Wait for a search as long as a request may."""
        left_s = search.started_s + LIMIT_S - self._clock()
        if search.done.done() or left_s <= 0:
            return
        alarm = asyncio.ensure_future(self._sleep(left_s))
        try:
            await asyncio.wait({search.done, alarm}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
