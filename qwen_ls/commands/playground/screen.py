"""The playground on a terminal: prompt_toolkit's screen and keys around an `Editor`."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import functools
import signal
import textwrap
from typing import TYPE_CHECKING

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout.containers import ConditionalContainer, HSplit, ScrollOffsets, Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.layout.layout import Layout
from prompt_toolkit.layout.processors import TabsProcessor
from prompt_toolkit.styles import Style

from qwen_ls.commands.playground import ghost as ghosts
from qwen_ls.commands.playground.editor import Editor
from qwen_ls.commands.playground.ghost_control import GhostControl, LineNumbers
from qwen_ls.commands.playground.session import SERVER, Message, Session
from qwen_ls.core.types import TriggerKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from prompt_toolkit.formatted_text import StyleAndTextTuples
    from prompt_toolkit.key_binding.key_processor import KeyPressEvent
    from prompt_toolkit.lexers import Lexer

    from qwen_ls.commands.playground.ghost import Edit
    from qwen_ls.commands.playground.opened import Opened

STYLE = Style.from_dict(
    {
        "ghost": "fg:ansibrightblack italic",
        "bar": "reverse",
        "bar.name": "reverse bold",
        "notice": "fg:ansicyan",
        "error": "fg:ansired bold",
        "warning": "fg:ansiyellow",
        "info": "fg:ansicyan",
        "line-number": "fg:ansibrightblack",
        "line-number.current": "bold",
        "help": "fg:ansibrightblack",
        "help.key": "bold",
        # The terminal's own colours, readable on dark and light; grey italics are the ghost's alone.
        "pygments.keyword": "ansimagenta nobold",
        "pygments.name.function": "ansiblue",
        "pygments.name.class": "ansiblue nobold",
        "pygments.name.builtin": "ansicyan",
        "pygments.name.decorator": "ansicyan",
        "pygments.literal.string": "ansigreen",
        "pygments.literal.string.doc": "ansigreen noitalic",
        "pygments.literal.number": "ansiyellow",
        "pygments.comment": "ansiyellow noitalic",
        "pygments.operator": "noinherit",
        "pygments.operator.word": "ansimagenta nobold",
    }
)
KEYS = (
    ("Tab", "accept"),
    ("Alt-→", "a word"),
    ("Esc", "dismiss"),
    ("Ctrl-Q", "quit"),
    ("Ctrl-Space", "ask"),
    ("Ctrl-Z", "undo"),
    ("Ctrl-S", "save"),
)
MAX_GHOST_ROOM = 8
"""How many lines below the cursor are kept in sight for a ghost."""
LEXED_FROM_START = 50_000
"""Texts longer than this are coloured from the screen's top on, not from their own."""


class Screen:
    """One run of the playground.

    Args:
        opened: the document.
        options: the settings, as initializationOptions.
        command: the server's command line, by default qwen-ls itself.
    """

    def __init__(self, opened: Opened, options: Mapping[str, Any], command: tuple[str, ...] = ()) -> None:
        self._opened = opened
        self._saved = opened.text
        self._warned = False
        self._command = command or SERVER
        self._editor = Editor(opened.text, opened.cursors[0], self._redraw)
        self._session = Session(
            opened.uri,
            opened.language_id,
            options=options,
            on_message=self._editor.tell,
            on_end=self._editor.lost,
        )
        self._buffer = Buffer(
            document=Document(opened.text, opened.cursors[0]),
            multiline=True,
            on_text_changed=lambda _: self._on_text(),
            on_cursor_position_changed=lambda _: self._on_cursor(),
        )
        self._app: Application[None] = Application(
            layout=self._layout(),
            key_bindings=self._bindings(),
            style=STYLE,
            full_screen=True,
        )
        # Esc alone must act at once; a terminal sends Alt's Esc together with its key.
        self._app.ttimeoutlen = 0.05
        self._app.timeoutlen = 0.2

    async def run(self) -> None:
        """Show the playground until the user leaves.

        Raises:
            ServerGoneError: the server did not come up.
        """
        await self._session.start(self._opened.text, self._command)
        try:
            self._editor.connect(self._session)
            for name in ("SIGTERM", "SIGHUP"):
                with contextlib.suppress(NotImplementedError, AttributeError):
                    asyncio.get_running_loop().add_signal_handler(getattr(signal, name), self._leave)
            await self._app.run_async(pre_run=lambda: self._editor.ask(TriggerKind.INVOKED))
        finally:
            await self._editor.aclose()
            await self._session.close()
        if self._editor.failure is not None:
            raise self._editor.failure

    # What happens to the buffer.

    def _on_text(self) -> None:
        self._warned = False
        self._editor.typed(self._buffer.text, self._buffer.cursor_position)

    def _on_cursor(self) -> None:
        if self._buffer.text == self._editor.text:
            self._editor.moved(self._buffer.cursor_position)

    def _apply(self, edit: Edit | None) -> bool:
        """Put what was accepted into the buffer, as one step of undo."""
        if edit is None:
            return False
        self._buffer.save_to_undo_stack()
        self._buffer.document = Document(edit.text, edit.cursor)
        self._editor.settled(edit)
        return True

    def _redraw(self) -> None:
        if self._editor.failure is not None:
            self._leave()
        self._app.invalidate()

    def _leave(self) -> None:
        if self._app.is_running and not self._app.is_done:
            self._app.exit()

    def _quit(self) -> None:
        """Leave, unless there is something to lose that was not asked about."""
        if self._opened.path is None or self._buffer.text == self._saved or self._warned:
            self._leave()
            return
        self._warned = True
        self._editor.tell(
            Message("warning", f"{self._opened.name} has changes: Ctrl-S saves, Ctrl-Q again drops them")
        )

    def _save(self) -> None:
        path, text = self._opened.path, self._buffer.text
        if path is None:
            self._editor.tell(
                Message("info", "This is the sample; `qwen-ls try FILE` edits and saves a file of yours")
            )
            return
        try:
            mark = codecs.BOM_UTF8 if self._opened.bom else b""
            path.write_bytes(mark + text.replace("\n", self._opened.eol).encode("utf-8", "replace"))
        except OSError as error:
            self._editor.tell(Message("error", f"cannot write {path}: {error.strerror or error}"))
            return
        self._saved = text
        self._editor.tell(Message("info", f"saved {path}"))

    # Keys.

    def _bindings(self) -> KeyBindings:
        editor, buffer = self._editor, self._buffer
        ask = functools.partial(editor.ask, TriggerKind.INVOKED)
        actions: Mapping[tuple[str, ...], Callable[[], None]] = {
            ("tab",): self._tab,
            ("escape", "right"): self._word,
            ("c-right",): self._word,
            ("escape", "f"): self._word,  # Option-Right of the Mac's Terminal
            ("escape",): editor.dismiss,
            ("c-space",): ask,
            ("escape", "\\"): ask,
            ("enter",): lambda: buffer.insert_text(ghosts.newline(buffer.text, buffer.cursor_position)),
            ("c-z",): buffer.undo,
            ("c-y",): buffer.redo,
            ("c-s",): self._save,
            ("c-q",): self._quit,
            ("c-c",): self._quit,
        }
        keys = KeyBindings()
        for names, action in actions.items():
            keys.add(*names)(functools.partial(_act, action))
        keys.add("<bracketed-paste>")(self._paste)
        return keys

    def _tab(self) -> None:
        if not self._apply(self._editor.accept()):
            self._buffer.insert_text(ghosts.tab(self._buffer.text, self._buffer.cursor_position))

    def _word(self) -> None:
        if not self._apply(self._editor.accept(word=True)):
            document = self._buffer.document
            step = document.find_next_word_ending() or document.get_end_of_line_position()
            self._buffer.cursor_position += step

    def _paste(self, event: KeyPressEvent) -> None:
        self._buffer.insert_text(event.data.replace("\r\n", "\n").replace("\r", "\n"))

    # What is drawn.

    def _layout(self) -> Layout:
        control = GhostControl(
            self._buffer,
            self._editor.view,
            lexer=_lexer(self._opened.name, self._buffer),
            input_processors=[TabsProcessor(tabstop=4, char1=" ", char2=" ")],
        )
        text = Window(
            control,
            left_margins=[LineNumbers(control)],
            scroll_offsets=ScrollOffsets(
                top=2, bottom=lambda: min(MAX_GHOST_ROOM, max(2, control.extra_lines()))
            ),
        )

        def line(draw: Callable[[], StyleAndTextTuples], style: str = "", *, wrap: bool = False) -> Window:
            return Window(
                FormattedTextControl(draw),
                height=None if wrap else 1,
                dont_extend_height=True,
                style=style,
                wrap_lines=wrap,
            )

        rows = [
            line(self._title, "class:bar"),
            ConditionalContainer(
                line(lambda: [("class:notice", self._wrapped(self._opened.notice))], wrap=True),
                bool(self._opened.notice),
            ),
            text,
            ConditionalContainer(
                line(self._message, wrap=True), Condition(lambda: self._editor.message is not None)
            ),
            line(self._status, "class:bar"),
            line(self._help),
        ]
        return Layout(HSplit(rows), focused_element=text)

    def _wrapped(self, text: str) -> str:
        """Break a message between words, as prompt_toolkit would not."""
        columns = self._app.output.get_size().columns
        return textwrap.fill(text, columns - 1, initial_indent=" ", subsequent_indent=" ")

    def _title(self) -> StyleAndTextTuples:
        changed = " (changed)" if self._opened.path is not None and self._buffer.text != self._saved else ""
        return [("class:bar.name", " qwen-ls try "), ("", f" {self._opened.name}{changed}")]

    def _message(self) -> StyleAndTextTuples:
        message = self._editor.message
        return [] if message is None else [(f"class:{message.level}", self._wrapped(message.text))]

    def _status(self) -> StyleAndTextTuples:
        editor, said = self._editor, self._editor.explanation
        parts = [said.strategy, said.model]
        if editor.latency_ms is not None:
            parts.append(f"{editor.latency_ms:.0f} ms")
        if said.prompt_tokens or said.completion_tokens:
            parts.append(f"{said.prompt_tokens} → {said.completion_tokens} tokens")
        parts.append(editor.state())
        return [("", " " + " │ ".join(part for part in parts if part))]

    def _help(self) -> StyleAndTextTuples:
        result: StyleAndTextTuples = [("", " ")]
        for key, what in KEYS:
            if key == "Ctrl-S" and self._opened.path is None:
                continue
            result += [("class:help.key", key), ("class:help", f" {what}   ")]
        return result


def _act(action: Callable[[], None], event: KeyPressEvent) -> None:
    """Call an action that does not care which key it was."""
    action()


def _lexer(name: str, buffer: Buffer) -> Lexer | None:
    """Colour the text where Pygments happens to be installed."""
    try:
        from prompt_toolkit.lexers import PygmentsLexer

        return PygmentsLexer.from_filename(
            name, sync_from_start=Condition(lambda: len(buffer.text) < LEXED_FROM_START)
        )
    except ImportError:
        return None
