"""Ghost text on prompt_toolkit's screen: lines that are drawn and are not in the buffer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prompt_toolkit.formatted_text.utils import split_lines
from prompt_toolkit.layout.controls import BufferControl, UIContent
from prompt_toolkit.layout.margins import Margin
from prompt_toolkit.layout.utils import explode_text_fragments

if TYPE_CHECKING:
    from collections.abc import Callable

    from prompt_toolkit.buffer import Buffer
    from prompt_toolkit.formatted_text import StyleAndTextTuples
    from prompt_toolkit.layout.containers import WindowRenderInfo
    from prompt_toolkit.layout.processors import Processor
    from prompt_toolkit.lexers import Lexer

    from qwen_ls.commands.playground.ghost import Shown

GHOST_STYLE = "class:ghost"


def ghost_lines(line: StyleAndTextTuples, column: int, view: Shown) -> list[StyleAndTextTuples]:
    """Put a ghost into a line: the lines that are drawn in its place.

    What the ghost replaces is not drawn, unless the ghost ends with it: then it keeps its own style.

    Args:
        line: the cursor's line as fragments.
        column: the cursor's place in it, in characters.
        view: the ghost.
    """
    characters = explode_text_fragments(line)
    before, replaced = characters[:column], characters[column : column + view.replaced]
    after = characters[column + view.replaced :]
    text = view.text
    while replaced and text.endswith(replaced[-1][1]):
        after.insert(0, replaced.pop())
        text = text[:-1]
    dim: StyleAndTextTuples = [(GHOST_STYLE, text.replace("\t", "    "))]
    return list(split_lines([*before, *dim, *after]))


class GhostControl(BufferControl):
    """A buffer with a ghost at its cursor.

    Args:
        buffer: the buffer.
        view: says what the ghost looks like now.
        lexer: colours the text.
        input_processors: as of any BufferControl.
    """

    def __init__(
        self,
        buffer: Buffer,
        view: Callable[[], Shown | None],
        *,
        lexer: Lexer | None,
        input_processors: list[Processor],
    ) -> None:
        super().__init__(buffer=buffer, lexer=lexer, input_processors=input_processors)
        self._view = view

    def extra_lines(self) -> int:
        """How many lines of the ghost are not the cursor's own."""
        view = self._view()
        return 0 if view is None else view.text.count("\n")

    def create_content(self, width: int, height: int, preview_search: bool = False) -> UIContent:
        """Draw the buffer with the ghost's lines between its own."""
        content = super().create_content(width, height, preview_search)
        view = self._view()
        if view is None:
            return content
        row = content.cursor_position.y
        drawn = ghost_lines(content.get_line(row), content.cursor_position.x, view)
        extra = len(drawn) - 1

        def get_line(number: int) -> StyleAndTextTuples:
            if number < row:
                return content.get_line(number)
            return drawn[number - row] if number <= row + extra else content.get_line(number - extra)

        return UIContent(
            get_line=get_line,
            line_count=content.line_count + extra,
            cursor_position=content.cursor_position,
            menu_position=content.menu_position,
            show_cursor=content.show_cursor,
        )


class LineNumbers(Margin):
    """The buffer's line numbers; the ghost's lines have none."""

    def __init__(self, control: GhostControl) -> None:
        self._control = control

    def get_width(self, get_ui_content: Callable[[], UIContent]) -> int:
        """Room for the last line's number, at least two digits, and a blank."""
        return max(2, len(str(self._control.buffer.document.line_count))) + 2

    def create_margin(
        self, window_render_info: WindowRenderInfo, width: int, height: int
    ) -> StyleAndTextTuples:
        """Draw the numbers of the lines on the screen."""
        cursor_row = self._control.buffer.document.cursor_position_row
        extra = self._control.extra_lines()
        result: StyleAndTextTuples = []
        for line in window_render_info.displayed_lines:
            if cursor_row < line <= cursor_row + extra:
                result.append((GHOST_STYLE, " " * width))
            else:
                number = line + 1 - (extra if line > cursor_row else 0)
                style = "class:line-number.current" if line == cursor_row else "class:line-number"
                result.append((style, f"{number} ".rjust(width)))
            result.append(("", "\n"))
        return result
