"""One search for related code: what the event loop hands over, and what the thread makes of it.

The event loop copies what it has to (`Copy`), and only for a revision that was not copied before; all that
costs time happens in `Searcher.search`, in a thread: words, windows, files. One search runs at a time.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from qwen_ls.core.retrieval.arrangement import Found
from qwen_ls.core.retrieval.fusion import fuse, is_known
from qwen_ls.core.retrieval.imports import SEARCHED_CHARS, imports_of
from qwen_ls.core.retrieval.signatures import signatures
from qwen_ls.core.retrieval.windows import MAX_LINES, QUERY_LINES, Index, best_windows
from qwen_ls.core.retrieval.words import are_relatives, bag, words
from qwen_ls.core.text import lines_of
from qwen_ls.core.types import Snippet
from qwen_ls.definitions import Definitions
from qwen_ls.files import WorkspaceFiles, file_of, imported_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from qwen_ls.core.retrieval.edits import Edit
    from qwen_ls.core.retrieval.imports import Import
    from qwen_ls.core.types import CompletionContext

MOST_DOCUMENTS = 20
"""How many open documents are looked at: those that were changed or opened last."""
MOST_FOUND = 24
MOST_IMPORTED = 5
WINDOW_CHARS = 8000
"""How much text on each side of the cursor counts as shown already."""
HEAD_LINES = 400
"""The part of the document in which its imports are looked for."""
NAMES_TTL_S = 5.0
"""How long it is believed that a document may be shown: rules on the disk can change."""
FRESH_LINES = 5000
"""After so many newly indexed lines, a search leaves other new documents to the next one."""


class OpenDocument(Protocol):
    """A document as the editor has it now."""

    @property
    def uri(self) -> str: ...  # noqa: D102
    @property
    def language_id(self) -> str: ...  # noqa: D102
    @property
    def revision(self) -> int:
        """Another one after every change, in all documents: a greater one is newer."""
        ...

    @property
    def lines(self) -> Sequence[str]:
        """With their ends."""
        ...

    @property
    def edits(self) -> tuple[Edit, ...]:
        """The newest first."""
        ...


class Workspace(Protocol):
    """The open documents."""

    def open_documents(self) -> Iterable[OpenDocument]:
        """All of them, in any order."""
        ...


@dataclass(frozen=True)
class Copy:
    """What a search may know of an open document; it stays as it is while the document changes."""

    uri: str
    language_id: str
    revision: int
    lines: tuple[str, ...]
    """All lines; none of the document that is being written, and of very long ones."""
    head: tuple[str, ...]
    edited: tuple[tuple[Edit, range, str], ...]
    """Each edit with the lines around it."""

    @classmethod
    def of(cls, document: OpenDocument, *, is_own: bool) -> Copy:
        """Copy a document; of one's own and of a very long one only what does not grow with it."""
        lines = document.lines
        whole = () if is_own or len(lines) > MAX_LINES else tuple(lines)
        shown = [(edit, edit.shown(len(lines))) for edit in document.edits]
        edited = tuple((edit, at, "".join(lines[at.start : at.stop])) for edit, at in shown)
        head = tuple(lines[:HEAD_LINES])
        return cls(document.uri, document.language_id, document.revision, whole, head, edited)

    @cached_property
    def index(self) -> Index:
        """Where its words stand, found once."""
        return Index.of(self.lines)

    @property
    def is_indexed(self) -> bool:
        """Whether that has been done."""
        return "index" in self.__dict__


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for, and what is known already."""

    context: CompletionContext
    before: str
    """The last lines before the cursor."""
    own: Copy | None
    """The document that is being written."""
    others: tuple[Copy, ...]
    shown: tuple[Snippet, ...]
    """What earlier prompts have shown."""

    def window(self) -> Counter[str]:
        """The lines around the cursor, which a prompt shows anyway, without their indentation."""
        text = self.context.prefix[-WINDOW_CHARS:] + self.context.suffix[:WINDOW_CHARS]
        return Counter(line.strip() for line in lines_of(text) if line.strip())


def last_lines(context: CompletionContext) -> str:
    """The lines before the cursor that other code is compared with."""
    return "".join(context.prefix[-WINDOW_CHARS:].splitlines(keepends=True)[-QUERY_LINES:])


def without_last_word(text: str) -> str:
    """The text without the word that it ends in: while that is typed, one search does."""
    end = len(text)
    while end and (text[end - 1].isalnum() or text[end - 1] == "_"):
        end -= 1
    return text[:end]


@dataclass(slots=True)
class Searcher:
    """Searches, and remembers what files say. To be used by one thread at a time."""

    roots: tuple[Path, ...]
    exclude: tuple[str, ...]
    _files: dict[tuple[Path, ...], WorkspaceFiles] = field(default_factory=dict)
    _names: dict[tuple[str, tuple[Path, ...]], tuple[float, str | None]] = field(default_factory=dict)
    _imported: dict[str, tuple[float, tuple[Import, ...], list[Snippet]]] = field(default_factory=dict)
    _definitions: dict[tuple[Path, str], Definitions] = field(default_factory=dict)

    def search(self, query: Query) -> Found:
        """Rank what may help."""
        path = file_of(query.context.document.uri)
        roots = self.roots or ((path.parent,) if path else ())
        files = self._files.setdefault(roots, WorkspaceFiles(roots, self.exclude))
        own = self._name(query.context.document.uri, files, ())
        named = [(copy, name) for copy in query.others if (name := self._name(copy.uri, files, copy.head))]
        window = query.window()
        edited = list(_edited([*named, *([(query.own, own)] if query.own and own else [])]))
        imported: list[Snippet] = []
        types: list[Snippet] = []
        definitions = None
        if own and (place := self._imports(query, files)):
            imported = self._signatures(query, files, own, *place)
            definitions = self._looked_up(files, place[0], query.context.document.language_id)
            types = definitions.snippets(query.context, place[1], query.before)
        rankings = [_windows(query, named), edited, imported]
        fresh = [[one for one in ranking if not is_known(one, window)] for ranking in rankings]
        checked = {
            one: _as_it_is_now(one, named, [*edited, *imported], definitions)
            if not is_known(one, window)
            else None
            for one in query.shown
        }
        repo = files.roots[0].name if files.roots else ""
        name = own or (path.name if path else "")
        return Found(repo, name, (*types, *fuse(fresh)[:MOST_FOUND]), checked)

    def _name(self, uri: str, files: WorkspaceFiles, head: tuple[str, ...]) -> str | None:
        """A document's path in the workspace, with a cell's id; None where it may not be shown."""
        key, now_s = (uri, tuple(files.roots)), time.monotonic()
        known = self._names.get(key)
        if known is None or now_s - known[0] > NAMES_TTL_S:
            path = file_of(uri)
            name = files.name_of(path, head) if path else None
            cell = uri.partition("#")[2]
            known = self._names[key] = now_s, f"{name}#{cell}" if name and cell.isalnum() else name
        return known[1]

    def _imports(self, query: Query, files: WorkspaceFiles) -> tuple[Path, tuple[Import, ...]] | None:
        """The document's imports, and the folder of the workspace that it is in; None where it is in none."""
        path = file_of(query.context.document.uri)
        top = files.root_of(path) if path else None
        if query.own is None or path is None or top is None:
            return None
        language_id = query.context.document.language_id
        found = imports_of(
            "".join(query.own.head)[:SEARCHED_CHARS],
            language_id,
            path.resolve().relative_to(top).as_posix(),
            go_module=_go_module(files, top) if language_id == "go" else "",
        )
        return top, tuple(found)

    def _signatures(
        self, query: Query, files: WorkspaceFiles, own: str, top: Path, found: tuple[Import, ...]
    ) -> list[Snippet]:
        """The signatures of what the document imports, first of that which is used near the cursor."""
        now_s, known = time.monotonic(), self._imported.get(query.context.document.uri)
        if known is None or known[1] != found or now_s - known[0] > NAMES_TTL_S:
            snippets = list(_signatures(found, files, top, own))
            known = self._imported[query.context.document.uri] = now_s, found, snippets
        near = bag(query.before)
        ranked = [
            (sum(near[word] > 0 for word in set(words(snippet.text))), -n, snippet)
            for n, snippet in enumerate(known[2])
        ]
        ranked.sort(key=lambda one: one[:2], reverse=True)
        return [snippet for _, _, snippet in ranked[:MOST_IMPORTED]]

    def _looked_up(self, files: WorkspaceFiles, top: Path, language_id: str) -> Definitions:
        """What looks names up for documents of a language."""
        key = (top, language_id)
        if (known := self._definitions.get(key)) is None or known.files is not files:
            known = self._definitions[key] = Definitions(files, top, language_id)
        return known


def _windows(query: Query, named: list[tuple[Copy, str]]) -> list[Snippet]:
    """The windows of open documents that are most like the text before the cursor."""
    before, room, found = bag(query.before), FRESH_LINES, []
    for copy, name in named:
        if not copy.lines or not are_relatives(copy.language_id, query.context.document.language_id):
            continue
        if not copy.is_indexed:
            if room <= 0:
                continue
            room -= len(copy.lines)
        time.sleep(0)  # the event loop may want to go on
        for window in best_windows(copy.index, before):
            at = window.lines
            text = "".join(copy.lines[at.start : at.stop])
            found.append(Snippet(name, text, "open", window.similarity, at))
    return sorted(found, key=lambda snippet: -snippet.score)


def _edited(named: Sequence[tuple[Copy, str]]) -> Iterator[Snippet]:
    """What was edited last, the newest first."""
    every = [(edit, at, text, name) for copy, name in named for edit, at, text in copy.edited]
    for edit, at, text, name in sorted(every, key=lambda one: -one[0].at):
        if text.strip():
            yield Snippet(name, text, "edit", float(edit.at), at)


def _signatures(found: tuple[Import, ...], files: WorkspaceFiles, top: Path, own: str) -> Iterator[Snippet]:
    """The signatures of each imported file, once."""
    seen = {own}
    for one in found:
        for path in imported_files(one, top):
            name = files.name_of(path)
            if name is None or name in seen or (text := files.read(path)) is None:
                continue
            seen.add(name)
            if extract := signatures(text, name, one.names):
                yield Snippet(name, extract, "import")


def _go_module(files: WorkspaceFiles, top: Path) -> str:
    """The name of the Go module at the workspace's top."""
    for line in lines_of(files.read(top / "go.mod") or ""):
        if line.startswith("module "):
            return line.removeprefix("module ").strip().strip('"')
    return ""


def _as_it_is_now(
    shown: Snippet, named: list[tuple[Copy, str]], others: list[Snippet], definitions: Definitions | None
) -> Snippet | None:
    """A snippet of an earlier prompt with its lines as they are numbered now; None where it has changed."""
    if shown.source == "type":
        return shown if definitions and definitions.still_says(shown) else None
    for copy, name in named:
        if name != shown.path or not copy.lines or not shown.lines:
            continue
        if (at := _place(copy.lines, lines_of(shown.text), shown.lines.start)) is not None:
            return replace(shown, lines=range(at, at + len(shown.lines)))
        return None
    for other in others:
        if other.path == shown.path and other.text.startswith(shown.text):
            return replace(shown, lines=other.lines[: len(shown.lines)])
    return None


def _place(lines: tuple[str, ...], wanted: list[str], guess: int) -> int | None:
    """Where some lines stand in others."""
    if list(lines[guess : guess + len(wanted)]) == wanted:
        return guess
    for start, line in enumerate(lines):
        if line == wanted[0] and list(lines[start : start + len(wanted)]) == wanted:
            return start
    return None
