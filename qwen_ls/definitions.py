"""Definitions: what the object at the cursor is, looked up in the files that the document imports.

Names are followed as a reader would: from what a variable was bound to, to the class of that name in an
imported file, through files that only pass a name on, to what the class inherits.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qwen_ls.core.retrieval.imports import SEARCHED_CHARS, Import, imports_of
from qwen_ls.core.retrieval.members import Declaration, Member, declared, extract, is_extract
from qwen_ls.core.retrieval.target import LOOKED_AT_CHARS, hints, is_like, target_at
from qwen_ls.core.retrieval.words import bag
from qwen_ls.core.types import Snippet
from qwen_ls.files import imported_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from qwen_ls.core.types import CompletionContext
    from qwen_ls.files import WorkspaceFiles

MOST_FOUND = 2
MOST_FILES = 40
"""So many files are looked into for one place."""
DEPTH = 3
"""Through so many files a name is followed, and so many times what a class inherits."""
TTL_S = 5.0
"""How long it is believed what a file declares."""
_SURE = 3


@dataclass(frozen=True, slots=True)
class _File:
    """What one file declares, and what it imports."""

    name: str
    declarations: dict[str, Declaration]
    imports: list[Import]


@dataclass(frozen=True, slots=True)
class _Place:
    """A declaration and where it stands."""

    file: _File
    declaration: Declaration


@dataclass(slots=True)
class _Known:
    """What is known of a path, and when it was looked at last."""

    checked_s: float
    text: str | None
    file: _File | None


@dataclass(slots=True)
class Definitions:
    """Looks names up, and remembers what files declare. To be used by one thread at a time."""

    files: WorkspaceFiles
    top: Path
    language_id: str
    _known: dict[Path, _Known] = field(default_factory=dict)
    _n_looked_into: int = 0

    def snippets(self, context: CompletionContext, imports: Sequence[Import], before: str) -> list[Snippet]:
        """Extracts of what the object at the cursor is, or the function that is called; the likeliest first.

        Args:
            context: where the cursor stands.
            imports: the document's.
            before: the last lines before the cursor, by whose words members are ranked.
        """
        text = context.prefix[-LOOKED_AT_CHARS:]
        target = target_at(text)
        if target is None:
            return []
        self._n_looked_into = 0
        near = bag(before)
        found: dict[tuple[str, str], Snippet] = {}
        for place in self._places(hints(target, text), imports):
            key = (place.file.name, place.declaration.name)
            if key not in found:
                said = extract(place.declaration, near, self._inherited(place))
                found[key] = Snippet(place.file.name, said, "type")
            if len(found) >= MOST_FOUND:
                break
        return list(found.values())

    def still_says(self, shown: Snippet) -> bool:
        """Whether what an earlier prompt has shown is still true."""
        for file in (known.file for known in self._known.values()):
            if file is not None and file.name == shown.path:
                return any(
                    is_extract(shown.text, self._whole(file, one)) for one in file.declarations.values()
                )
        return False

    def _whole(self, file: _File, one: Declaration) -> Declaration:
        """A declaration with what it inherits."""
        members = (*self._inherited(_Place(file, one)), *one.members)
        return Declaration(one.name, one.head, members)

    def _places(self, names: Iterable[str], imports: Sequence[Import]) -> Iterator[_Place]:
        """Where the names are declared, and then what is nearly called so; of a function, what it returns."""
        wanted = list(names)
        for name in wanted:
            for place in self._followed(name, imports, DEPTH):
                yield from self._returned(place)
                yield place
        ranked = [
            (is_like(name, declaration.name), -n, file, declaration)
            for file in self._imported(imports)
            for declaration in file.declarations.values()
            for n, name in enumerate(wanted)
            if declaration.members
        ]
        for likeness, _, file, declaration in sorted(ranked, key=lambda one: one[:2], reverse=True):
            if not 0 < likeness < _SURE:
                break
            yield _Place(file, declaration)

    def _returned(self, place: _Place) -> Iterator[_Place]:
        if not place.declaration.members:
            for name in place.declaration.made_from:
                yield from self._named(name, place.file, DEPTH - 1)

    def _named(self, name: str, file: _File, depth: int) -> Iterator[_Place]:
        """What a name means in a file."""
        if name in file.declarations:
            yield _Place(file, file.declarations[name])
        elif depth > 0:
            yield from self._followed(name, file.imports, depth)

    def _followed(self, name: str, imports: Sequence[Import], depth: int) -> Iterator[_Place]:
        """What a name means that one of the imports may bring."""
        for one in imports:
            if one.names and name not in one.names:
                continue
            for file in self._files_of(one):
                yield from self._named(name, file, depth - 1 if name in one.names else 0)

    def _inherited(self, place: _Place, depth: int = DEPTH) -> tuple[Member, ...]:
        """The members that a class has from those that it is made from."""
        found: dict[str, Member] = {}
        if not place.declaration.members or depth <= 0:
            return ()
        for name in place.declaration.made_from:
            for base in self._named(name, place.file, DEPTH):
                if base.declaration.name != place.declaration.name:
                    own = {member.name: member for member in base.declaration.members}
                    inherited = {member.name: member for member in self._inherited(base, depth - 1)}
                    found = inherited | own | found
        found.pop("__init__", None)
        return tuple(found.values())

    def _imported(self, imports: Sequence[Import]) -> Iterator[_File]:
        seen: set[str] = set()
        for one in imports:
            for file in self._files_of(one):
                if file.name not in seen:
                    seen.add(file.name)
                    yield file

    def _files_of(self, one: Import) -> Iterator[_File]:
        for path in imported_files(one, self.top):
            file = self._file(path)
            if file is not None:
                yield file

    def _file(self, path: Path) -> _File | None:
        now_s, known = time.monotonic(), self._known.get(path)
        if known is not None and now_s - known.checked_s <= TTL_S:
            return known.file
        if self._n_looked_into >= MOST_FILES:
            return known.file if known else None
        self._n_looked_into += 1
        text = self.files.read(path)
        if known is None or known.text is not text:
            time.sleep(0)  # the event loop may want to go on
            known = _Known(now_s, text, self._parsed(path, text))
        known.checked_s = now_s
        self._known[path] = known
        return known.file

    def _parsed(self, path: Path, text: str | None) -> _File | None:
        name = self.files.name_of(path)
        if name is None or text is None:
            return None
        relative = path.relative_to(self.top).as_posix()
        return _File(
            name, declared(text, name), imports_of(text[:SEARCHED_CHARS], self.language_id, relative)
        )
