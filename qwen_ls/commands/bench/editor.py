"""An editor without a screen: the document, the cursor, and the suggestion that is shown.

Pure. It keeps a suggestion while what is typed agrees with it, as editors do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ls.commands.playground import ghost as ghosts
from qwen_ls.core.text import common_length
from qwen_ls.core.types import Completion, Document

if TYPE_CHECKING:
    from qwen_ls.commands.bench.passage import Passage
    from qwen_ls.commands.bench.typist import Key


class Editor:
    """Types one passage into its file."""

    def __init__(self, passage: Passage, *, closes_brackets: bool = False) -> None:
        """Open the file without the passage.

        Args:
            passage: what will be typed.
            closes_brackets: whether the editor closes brackets as they are opened.
        """
        self._passage, self._closes_brackets = passage, closes_brackets
        self.text, self.cursor = passage.before + passage.after, len(passage.before)
        self._ghost: ghosts.Ghost | None = None
        self._version = 0

    @property
    def written(self) -> str:
        """What stands between the passage's beginning and the cursor."""
        return self.text[len(self._passage.before) : self.cursor]

    def document(self) -> Document:
        """A snapshot."""
        return Document(self._passage.uri, self._version, self._passage.language, self.text)

    def press(self, key: Key) -> None:
        """Type, or delete."""
        written = self.written
        self._write(written[: len(written) - key.n_deleted] + key.text)

    def _write(self, written: str) -> None:
        """Have this written, and the closers right of it."""
        old, passage = self.text, self._passage
        closers = self._closers(common_length(written, passage.text))
        self.text = passage.before + written + closers + passage.after
        self.cursor = len(passage.before) + len(written)
        self._version += 1
        if self._ghost and not ghosts.survives(self._ghost, old, self.text, self.cursor):
            self._ghost = None

    def _closers(self, place: int, opened_before: int | None = None) -> str:
        return self._passage.closers(place, opened_before=opened_before) if self._closes_brackets else ""

    def show(self, completion: Completion | None, document: Document) -> bool:
        """Show an answer in place of what was shown, or nothing.

        Args:
            completion: the answer, None where there is no suggestion.
            document: what it was made for; what was typed since may have begun it.

        Returns:
            Whether it fits the document as it is now; if not, what was shown stays.
        """
        if completion is None:
            self._ghost = None
            return True
        ghost = ghosts.suggest(document.text, completion.text, completion.start, completion.end)
        is_new = document.text == self.text
        if not is_new and not ghosts.survives(ghost, document.text, self.text, self.cursor):
            return False
        self._ghost = ghost
        return True

    def suggestion(self) -> str:
        """The text that is shown right of the cursor; empty where none is."""
        view = self._view()
        return view.text if view else ""

    def right_suggestion(self) -> str:
        """The same where it is what will be typed, all of it, and nothing is doubled or lost; else empty."""
        view = self._view()
        return view.text if view and self._is_meant(view) and self._is_clean(view) else ""

    def is_misplaced(self) -> bool:
        """Whether the right text is shown, and accepting it would double brackets, or lose some."""
        view = self._view()
        return view is not None and self._is_meant(view) and not self._is_clean(view)

    def _is_meant(self, view: ghosts.Shown) -> bool:
        return self._passage.text.startswith(self.written + view.text)

    def _is_clean(self, view: ghosts.Shown) -> bool:
        size = len(self.written)
        closers = self._closers(size + len(view.text), size)
        return self.text[self.cursor + view.replaced :] == closers + self._passage.after

    def take(self, size: int) -> None:
        """Accept so many characters of what is shown."""
        if view := self._view():
            self._write(self.written + view.text[:size])

    def _view(self) -> ghosts.Shown | None:
        return ghosts.shown(self._ghost, self.text, self.cursor) if self._ghost else None


def fits(completion: Completion, document: Document, offset: int) -> bool:
    """Whether an item can be accepted in the document that it was made for, without doubling or losing text.

    Its range is around the cursor and does not leave the line on the right; it begins with what its range
    has left of the cursor, holds in order what it has right of it (else VS Code hides the item), and
    changes something.
    """
    start, end, text = completion.start, completion.end, document.text
    if not 0 <= start <= offset <= end <= len(text):
        return False
    typed, covered = text[start:offset], text[offset:end]
    if not completion.text.startswith(typed) or "\n" in covered or completion.text == text[start:end]:
        return False
    rest = iter(completion.text[len(typed) :])
    return all(char in rest for char in covered)
