"""An editor without a screen: the document, the cursor, and the suggestion that is shown.

Pure. It keeps a suggestion while what is typed agrees with it, as editors do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ls.commands.playground import ghost as ghosts
from qwen_ls.core.types import Completion, Document

if TYPE_CHECKING:
    from qwen_ls.commands.bench.passage import Passage
    from qwen_ls.commands.bench.typist import Key


class Editor:
    """Types one passage into its file."""

    def __init__(self, passage: Passage) -> None:
        self._passage = passage
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
        start = self.cursor - key.n_deleted
        self._change(self.text[:start] + key.text + self.text[self.cursor :], start + len(key.text))

    def _change(self, text: str, cursor: int) -> None:
        old, self.text, self.cursor = self.text, text, cursor
        self._version += 1
        if self._ghost and not ghosts.survives(self._ghost, old, text, cursor):
            self._ghost = None

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
        """The same where it is what will be typed, all of it; else empty."""
        view = self._view()
        if view is None:
            return ""
        text = self.text[: self.cursor] + view.text + self.text[self.cursor + view.replaced :]
        return view.text if self._passage.agrees(text, self.cursor + len(view.text)) else ""

    def take(self, size: int) -> None:
        """Accept so many characters of what is shown; all of it, where that many are left."""
        view = self._view()
        if view is None:
            return
        whole = size >= len(view.text)
        rest = self.text[self.cursor + view.replaced if whole else self.cursor :]
        self._change(
            self.text[: self.cursor] + view.text[:size] + rest, self.cursor + min(size, len(view.text))
        )
        if whole:
            self._ghost = None

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
