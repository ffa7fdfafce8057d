"""The words of the core: what one completion is asked with and answered by.

Pure and immutable. Positions are offsets, in characters, into `Document.text`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class TriggerKind(enum.IntEnum):
    """Who asked. The numbers are those of LSP 3.18, `InlineCompletionTriggerKind`."""

    INVOKED = 1
    AUTOMATIC = 2


class Strategy(enum.StrEnum):
    """How the model is asked: fill-in-the-middle (Completions API) or partial mode (chat completions)."""

    FIM = "fim"
    PARTIAL = "partial"


class Layout(enum.StrEnum):
    """The order of the parts of a fill-in-the-middle prompt; a property of the model's row."""

    PREFIX_SUFFIX_MIDDLE = "psm"
    """`<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>`, as DashScope documents it."""
    SUFFIX_FIRST = "spm"
    """`<|fim_prefix|><|fim_suffix|>S<|fim_middle|>P`: what is typed stands at the prompt's end."""
    LINE_LAST = "line-last"
    """`<|fim_prefix|>A<|fim_suffix|>S<|fim_middle|>L`, where P is A, the lines above, and L, the current line
    as far as it is typed; llama-server's `/infill` lays prompts out so."""

    @property
    def ends_with_typed(self) -> bool:
        """Whether the prompt ends with what is typed, and a prefix cache keeps the rest while one types."""
        return self is not Layout.PREFIX_SUFFIX_MIDDLE


class SnippetFormat(enum.StrEnum):
    """How a fill-in-the-middle prompt shows code from elsewhere; a property of the model's row."""

    REPOSITORY = "repository"
    """Qwen2.5-Coder's own: `<|repo_name|>`, then each file after `<|file_sep|>` and its path."""
    COMMENTS = "comments"
    """Comments above the prefix: any model reads them."""


class Reason(enum.StrEnum):
    """Why there is no completion. The values are what `explain` and the CLI print."""

    DISABLED = "qwen-ls is switched off"
    LANGUAGE_OFF = "this language is switched off in the settings"
    DENIED = "this file is on the deny list: it is never read or sent"
    MANUAL = "completions are shown only when asked for (trigger: manual)"
    MID_WORD = "the cursor stands inside a word"
    TAIL = "there is code to the right of the cursor"
    SHORT_DOCUMENT = "the document is too short to say what comes next"
    DELETED = "text was just deleted here"
    DISMISSED = "this was just dismissed here"
    EMPTY_DOCUMENT = "there is nothing to complete yet"
    NOT_CONFIGURED = "the settings do not allow a call"
    BACKEND = "the endpoint failed"
    COOLING_DOWN = "paused after a failure"
    LIMITED = "a limit of your settings is reached"
    EMPTY = "the model had nothing to say"
    ONLY_SPECIAL_TOKENS = "the answer was special tokens only"
    ECHO = "the answer repeated what is already there"
    DEAD_END = "the code below would never be reached"
    REPETITION = "the answer repeated itself"
    TRIFLE = "the answer was too short to be worth showing"
    CHATTER = "the answer was words about code, not code"
    SUPERSEDED = "a newer request took its place"
    ABANDONED = "the document was closed or the settings changed meanwhile"


@dataclass(frozen=True, slots=True)
class Document:
    """A snapshot of a document around the cursor, taken before the first `await`.

    `text` is the whole document where it is small, else a window of it: reading a keystroke's context
    must not cost more in a large document than in a small one.
    """

    uri: str
    version: int | None
    language_id: str
    text: str
    starts_at_top: bool = True
    """Whether `text` begins where the document begins."""
    reaches_end: bool = True
    """Whether `text` ends where the document ends."""
    first_line: int = 0
    """The document's line number, from 0, on which `text` begins."""


@dataclass(frozen=True, slots=True)
class SelectedCompletion:
    """The row that is selected in the editor's own completion list (LSP `SelectedCompletionInfo`)."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class CompletionContext:
    """Everything one completion is decided from."""

    document: Document
    offset: int
    trigger: TriggerKind
    selected: SelectedCompletion | None
    prefix: str
    suffix: str
    line_prefix: str
    """The current line left of the cursor."""
    line_suffix: str
    """The current line right of the cursor, without its line end."""
    eol: str
    """The document's line end: the first one found in the window, else LF."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """Code from elsewhere in the workspace that may help with what is being written."""

    path: str
    """As the model reads it: relative to the workspace, with forward slashes."""
    text: str
    source: str
    """Which retriever has found it: `type`, `open`, `edit` or `import`."""
    score: float = 0.0
    lines: range = range(0)
    """The document's lines that it shows, from 0; empty where it is an extract."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a prompt takes from beside its own document, and what it keeps of the prompt before it."""

    repo: str = ""
    """The workspace's name."""
    path: str = ""
    """The document's own path in it."""
    snippets: tuple[Snippet, ...] = ()
    """In the order in which they were first used."""
    last_suffix: str = ""
    """The suffix as the document's last prompt had it."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model reads.

    For `Strategy.FIM`, `text` is the whole prompt. For `Strategy.PARTIAL`, `text` is the user message and
    `prefix` is the assistant's message to be continued, byte for byte.
    """

    strategy: Strategy
    prefix: str
    suffix: str
    text: str
    stop: tuple[str, ...] = ()
    held_back: str = ""
    """Text before the cursor that the prompt leaves out; the answer is expected to begin with it."""
    images: tuple[str, ...] = field(default=(), repr=False)
    """What a model that sees is shown, partial mode only: https URLs, or data URLs of files."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the endpoint counted them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One call. Fields that are None are not sent."""

    model: str
    prompt: Prompt
    max_tokens: int
    stream: bool = True
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of an answer. `text` is always a delta, whatever the endpoint sends."""

    text: str
    finish_reason: str | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class RawCompletion:
    """A model's answer as it came."""

    text: str
    finish_reason: str | None
    usage: Usage | None


@dataclass(frozen=True, slots=True)
class Completion:
    """A suggestion that fits: `document.text[start:end]` becomes `text`, cursor at its end."""

    id: str
    text: str
    start: int
    end: int
    source: str
    """Where it came from: `network`, or what of the cache had it (`core.cache.Hit`)."""
    usage: Usage | None = None
    latency_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Skip:
    """No suggestion, and why."""

    reason: Reason
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason.value} ({self.detail})" if self.detail else self.reason.value
