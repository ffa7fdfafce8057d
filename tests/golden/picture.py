"""Golden pictures: a document with the cursor, a model's raw answer, and the item drawn in place.

One text file a case, `cases/LANGUAGE/NAME.txt`:

    What happens here, in a sentence.

    finish: length            (only what differs from the defaults, see `Case`)
    ==== document
    print(█)
    ==== answer
    "x")
    ==== item
    print(⟦"x")⟧⟪)⟫

`█` is the cursor, `⟦…⟧` the text that is inserted, `⟪…⟫` what the item's range replaces. Silence is written
as `nothing: REASON`. The line end before a heading belongs to the file, not to the section. `⇥` is a tab, `␣`
a blank where one could not be seen. A case that is still wrong says `xfail: why` above its sections and shows
what is right.

`python -m tests.golden` lists the cases that differ; `--update NAME…` draws those anew, to be looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qwen_ls.core import postprocess
from qwen_ls.core.postprocess.hole import Hole
from qwen_ls.core.postprocess.limit import is_complete
from qwen_ls.core.postprocess.suffix import covered
from qwen_ls.core.text import with_eol
from qwen_ls.core.trigger import Ask, Moment, decide
from qwen_ls.core.types import CompletionContext, Reason, Skip, Strategy, TriggerKind
from qwen_ls.settings import Settings
from tests.marked import context

CASES = Path(__file__).parent / "cases"
EOLS = {"lf": "\n", "crlf": "\r\n", "cr": "\r"}


@dataclass(frozen=True)
class Case:
    """One picture. The fields up to `document` are its sections, the others what stands above them."""

    path: Path
    title: str
    document: str
    answer: str
    item: str
    language: str = ""
    """The language id; by default the folder's name."""
    trigger: str = "automatic"
    strategy: str = "fim"
    finish: str = "stop"
    eol: str = "lf"
    """The document's line ends. Pictures are drawn with LF."""
    moment: str = ""
    """What has just happened: `deleted`, `accepted`, `dismissed`."""
    dismissed: str = ""
    """A text that was dismissed here."""
    uri: str = "file:///p/a"
    quiet: str | None = None
    blocks: str | None = None
    """Settings of these names, as lists with commas."""
    xfail: str = ""

    @property
    def name(self) -> str:
        return self.path.relative_to(CASES).with_suffix("").as_posix()


def load(path: Path) -> Case:
    """Read a case."""
    head, *sections = ("\n" + path.read_text("utf-8")).split("\n==== ")
    title, facts = [], {}
    for line in head.strip().split("\n"):
        key, colon, value = line.partition(":")
        if colon and key in Case.__dataclass_fields__:
            facts[key] = value.strip()
        elif line:
            title.append(line)
    texts = {}
    for section in sections:
        heading, _, text = section.partition("\n")
        texts[heading.strip()] = text.replace("⇥", "\t").replace("␣", " ")
    texts["item"] = texts["item"].removesuffix("\n")
    facts.setdefault("language", path.parent.name)
    return Case(path, " ".join(title), texts["document"], texts["answer"], texts["item"], **facts)


def save(case: Case, item: str) -> None:
    """Draw a case's item anew."""
    head, _, _ = case.path.read_text("utf-8").partition("\n==== item\n")
    shown = item.replace("\t", "⇥") if "⇥" in head else item
    case.path.write_text(f"{head}\n==== item\n{shown}\n", "utf-8")


def every() -> list[Case]:
    """All cases."""
    return [load(path) for path in sorted(CASES.rglob("*.txt"))]


def place_of(case: Case) -> CompletionContext:
    """Where the cursor stands."""
    trigger = TriggerKind[case.trigger.upper()]
    picture = with_eol(case.document, EOLS[case.eol])
    return context(picture, trigger=trigger, language=case.language, uri=case.uri)


def draw(case: Case, *, streamed: bool = False) -> str:
    """What is shown, drawn: through the gate, the stream, and all steps.

    Args:
        case: the case.
        streamed: whether the answer comes by the character and is cut as soon as it holds enough.
    """
    place = place_of(case)
    lists = {name: getattr(case, name) for name in ("quiet", "blocks")}
    settings = Settings(
        **{name: tuple(filter(None, value.split(","))) for name, value in lists.items() if value is not None}
    )
    moment = Moment(**{name: True for name in case.moment.split(",") if name})
    ask = decide(place, settings, moment=moment)
    if isinstance(ask, Skip):
        return f"nothing: {ask.reason.name}"
    text = _shown(case, place, ask, streamed=streamed)
    if isinstance(text, Skip):
        return f"nothing: {text.reason.name}"
    n_covered = covered(text, place)
    if text == place.suffix[:n_covered]:
        return f"nothing: {Reason.ECHO.name}"
    assert place.eol == "\n" or "\n" not in text.replace(place.eol, ""), "line ends are mixed"
    replaced = f"⟪{place.suffix[:n_covered]}⟫" if n_covered else ""
    return with_eol(f"{place.prefix}⟦{text}⟧{replaced}{place.suffix[n_covered:]}", "\n")


def _shown(case: Case, place: CompletionContext, ask: Ask, *, streamed: bool) -> str | Skip:
    hole = Hole(place, ask, Strategy(case.strategy), case.finish, (case.dismissed,) if case.dismissed else ())
    raw = case.answer
    if streamed:
        raw = cut_stream(raw, hole)
        hole = Hole(place, ask, hole.strategy, case.finish if raw == case.answer else None, hole.dismissed)
    text = postprocess.run(postprocess.BEFORE_CACHE, raw, hole)
    return text if isinstance(text, Skip) else postprocess.run(postprocess.AFTER_CACHE, text, hole)


def cut_stream(raw: str, hole: Hole) -> str:
    """The answer up to the character at which the stream holds enough."""
    for end in range(1, len(raw)):
        if is_complete(raw[:end], hole):
            return raw[:end]
    return raw
