"""`qwen-ls complete FILE:LINE:COL`: one completion, printed."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwen_ls.commands import EXIT_DONE, STDIN, CommandError, documents, outcome, preparation
from qwen_ls.commands.documents import Place
from qwen_ls.core.redact import denied
from qwen_ls.core.text import lines_of
from qwen_ls.core.types import Completion, Document, Reason, Skip, TriggerKind

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Sequence

    from qwen_ls.backend.base import Backend
    from qwen_ls.core.retrieval.edits import Edit
    from qwen_ls.search import OpenDocument
    from qwen_ls.settings import Settings

_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that counts as open in an editor; nothing of it has been edited."""

    uri: str
    language_id: str
    revision: int
    lines: tuple[str, ...]
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenFiles:
    """The files of the command line as a workspace's open documents."""

    files: tuple[Opened, ...]

    @classmethod
    def of(cls, document: Document, paths: Sequence[str], exclude: tuple[str, ...]) -> OpenFiles:
        """The document and the files beside it; those on the deny list are not read.

        Raises:
            CommandError: a file cannot be read.
        """
        allowed = [path for path in paths if not denied(documents.uri(path), exclude)]
        beside = [
            (documents.uri(path), documents.language_of(path), documents.read(path)) for path in allowed
        ]
        every = [*beside, (document.uri, document.language_id, document.text)]
        return cls(
            tuple(
                Opened(uri, language, number, tuple(lines_of(text)))
                for number, (uri, language, text) in enumerate(every)
            )
        )

    def open_documents(self) -> Iterable[OpenDocument]:
        """All of them; the one to be completed last."""
        return self.files


@dataclass(frozen=True, slots=True)
class Outcome:
    """One completion, or why there is none, and the story of how it came."""

    result: Completion | Skip
    story: dict[str, Any]
    explanation: str = field(default="", repr=False)
    """The story as a Markdown document, with what the model said; the prompt too where it was asked for."""


def run(arguments: argparse.Namespace) -> int:
    """Run the command.

    Raises:
        CommandError: the place, the file or the settings are wrong.
    """
    place = None if arguments.place == STDIN else Place.read(arguments.place)
    path = place.path if place else STDIN
    near = None if path == STDIN else Path(path).absolute()
    settings = preparation.load(arguments.overrides, near=near).settings
    uri = documents.uri(path)
    if denied(uri, settings.exclude):  # before the file is read
        raise CommandError(outcome.line(Reason.DENIED), outcome.exit_code(Reason.DENIED))
    text = documents.read(path)
    offset = place.offset(text) if place else len(text)
    language = arguments.language or documents.language_of(path)
    document = Document(uri=uri, version=0, language_id=language, text=text)
    preparation.get_local_ready(settings, yes=arguments.yes)
    from qwen_ls.backend.connect import connect

    roots = (preparation.project_root(near or Path.cwd()),)
    with_prompt = arguments.explain == "prompt"
    beside = OpenFiles.of(document, arguments.open, settings.exclude)
    found = asyncio.run(complete(document, offset, settings, connect, roots, beside, with_prompt=with_prompt))
    if arguments.explain:
        print(found.explanation, end="")
        return EXIT_DONE if isinstance(found.result, Completion) else outcome.exit_code(str(found.result))
    if isinstance(found.result, Skip):
        raise CommandError(outcome.line(str(found.result)), outcome.exit_code(str(found.result)))
    if arguments.json:
        print(json.dumps(as_json(found, text), ensure_ascii=False))
    else:
        sys.stdout.write(found.result.text)
        if sys.stdout.isatty():
            sys.stdout.write("\n")
    return 0


async def complete(
    document: Document,
    offset: int,
    settings: Settings,
    connect: Callable[[Settings], Backend],
    roots: tuple[Path, ...] = (),
    beside: OpenFiles | None = None,
    *,
    with_prompt: bool = False,
) -> Outcome:
    """Ask for one completion, as an editor does whose user asked for it.

    Args:
        document: the file.
        offset: where the cursor stands in it.
        settings: the settings in force.
        connect: makes the backend.
        roots: the workspace's folders: code from elsewhere and images come from there.
        beside: the files that are open, the document among them.
        with_prompt: whether the explanation has the prompt.
    """
    from qwen_ls.backend.prices import price
    from qwen_ls.books import ledger_path
    from qwen_ls.service import CompletionService

    service = CompletionService(settings, connect=connect, ledger=ledger_path, price=price)
    service.look_at(beside or OpenFiles.of(document, (), settings.exclude), roots)
    try:
        await service.warm()
        result = await service.complete(document, offset, TriggerKind.INVOKED)
    finally:
        await service.aclose()  # what the call has used is known when it is closed
    return Outcome(result, service.explain(), service.explanation(with_prompt=with_prompt))


def as_json(found: Outcome, text: str) -> dict[str, Any]:
    """The completion and its origin as plain values; lines and columns count from 1."""
    assert not isinstance(found.result, Skip)
    completion, story = found.result, found.story
    return {
        "text": completion.text,
        "start": _place(text, completion.start),
        "end": _place(text, completion.end),
        "source": completion.source,
        "strategy": story.get("strategy"),
        "model": story.get("model"),
        "latency_ms": story.get("timings_ms", {}).get("total"),
        "usage": story.get("usage"),
    }


def _place(text: str, offset: int) -> dict[str, int]:
    ends = [found.end() for found in _LINE_END.finditer(text, 0, offset)]
    return {"line": len(ends) + 1, "column": offset - (ends[-1] if ends else 0) + 1}
