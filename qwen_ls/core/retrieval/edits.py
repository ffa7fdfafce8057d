"""Where a document was edited of late: distinct ranges of lines that move with the text around them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

NEAR_LINES = 5
"""Edits with no more lines than this between them are one."""
MOST_EDITS = 10
AROUND_LINES = 3
"""How many lines before and after an edit are shown with it."""
SHOWN_LINES = 40
"""Of a longer edit, a pasted file say, the end is shown."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A range of lines that was changed."""

    start: int
    stop: int
    """The line after the last one."""
    at: int
    """When: a number that grows with every change in the workspace."""

    def shown(self, n_lines: int) -> range:
        """The lines to show of a document with so many."""
        stop = min(n_lines, self.stop + AROUND_LINES)
        return range(max(0, self.start - AROUND_LINES, stop - SHOWN_LINES), stop)


def with_edit(edits: tuple[Edit, ...], start: int, n_removed: int, n_added: int, at: int) -> tuple[Edit, ...]:
    """The edits after one more, the newest first.

    Args:
        edits: those so far.
        start: the first line that changed.
        n_removed: how many lines were replaced.
        n_added: how many stand there now.
        at: when.
    """
    if edits and n_removed == n_added and edits[0].start <= start and start + n_added <= edits[0].stop:
        return (replace(edits[0], at=at), *edits[1:])  # typing on in the same lines
    moved = n_added - n_removed
    fresh = Edit(start, start + n_added, at)
    others: list[Edit] = []
    for edit in edits:
        if edit.start >= start + n_removed:
            edit = replace(edit, start=edit.start + moved, stop=edit.stop + moved)  # noqa: PLW2901 - it is moved
        elif edit.stop > start:
            edit = replace(edit, stop=max(fresh.stop, edit.stop + moved))  # noqa: PLW2901
        if edit.start <= fresh.stop + NEAR_LINES and fresh.start <= edit.stop + NEAR_LINES:
            fresh = Edit(min(edit.start, fresh.start), max(edit.stop, fresh.stop), at)
        else:
            others.append(edit)
    return (fresh, *others[: MOST_EDITS - 1])
