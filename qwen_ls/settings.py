"""What the user may set, as one frozen object, with its defaults and its JSON Schema.

Pure. `qwen_ls.sources` finds and merges the values, `qwen_ls.validation` checks them.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

if typing.TYPE_CHECKING:
    from collections.abc import Iterator

PROVIDERS = (
    "dashscope",
    "openai",
    "vllm",
    "llama.cpp",
    "ollama",
    "lmstudio",
    "deepseek",
    "mistral",
    "siliconflow",
    "moonshot",
    "local",
)
REGIONS = ("beijing", "singapore", "virginia", "hongkong")
QUIET = ("tail", "word", "deletion", "short", "dismissed")
"""The rules by which an automatic request stays without an answer."""
BLOCKS = ("empty", "comment", "blank", "accepted", "opened")
"""The reasons to ask for more than a line."""


@dataclass(frozen=True, slots=True)
class Part:
    """A number inside of a table: what it means and what is allowed."""

    doc: str
    minimum: float
    maximum: float
    whole: bool = True


def option(
    default: Any,
    doc: str,
    *,
    project: bool = False,
    choices: tuple[str, ...] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    word: str = "",
    url: bool = False,
    parts: Mapping[str, Part] | None = None,
) -> Any:
    """A field of `Settings`.

    Args:
        default: the value where no source has one.
        doc: one sentence for the schema and the README.
        project: whether the project's own file may set it (the P of DESIGN §3).
        choices: the words allowed, for strings and lists of strings.
        minimum: the least number allowed.
        maximum: the greatest number allowed.
        word: a word that is allowed beside a number.
        url: whether the string must be an http or https address.
        parts: for a table, the keys that it may have, in snake_case; the sources' tables are joined.
    """
    metadata = {
        "doc": doc,
        "project": project,
        "choices": choices,
        "minimum": minimum,
        "maximum": maximum,
        "word": word,
        "url": url,
        "parts": parts or {},
    }
    if isinstance(default, dict):
        return field(default_factory=lambda: types.MappingProxyType(dict(default)), metadata=metadata)
    return field(default=default, metadata=metadata)


LIMITS: Mapping[str, Part] = types.MappingProxyType(
    {
        "requests_per_minute": Part("Calls within any 60 seconds.", 0, 1_000_000),
        "tokens_per_minute": Part("Tokens, in and out, within any 60 seconds.", 0, 1_000_000_000),
        "tokens_per_day": Part("Tokens, in and out, from midnight to midnight.", 0, 1_000_000_000_000),
        "money_per_day": Part(
            "Cost from midnight to midnight, in the currency of the model's price (CNY in Beijing).",
            0,
            1_000_000,
            whole=False,
        ),
    }
)
"""What `limits` may hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings in force. Immutable: a change builds a new object.

    Keys are camelCase in JSON and snake_case in TOML; the environment has `QWEN_LS_` + upper snake case.
    """

    enabled: bool = option(True, "Whether completions are given at all.", project=True)
    provider: str = option(
        "dashscope", "Whose endpoint is asked; `openai` is any compatible server.", choices=PROVIDERS
    )
    region: str = option("beijing", "DashScope's region; a key belongs to one region.", choices=REGIONS)
    workspace_id: str | None = option(None, "DashScope workspace; selects its host and header.")
    base_url: str | None = option(
        None,
        "Replaces the provider's address, as in https://host/v1; never read from a project's file.",
        url=True,
    )
    protocol: str = option(
        "openai",
        "How DashScope is asked: `openai` (compatible mode) or `dashscope` (native API, partial mode only).",
        choices=("openai", "dashscope"),
    )
    model: str | None = option(None, "The model's id; by default the best known one for provider and region.")
    models: Mapping[str, Mapping[str, Any]] = option(
        {},
        "Rows for models that qwen-ls does not know, or knows otherwise: an id to `strategies`, `layout`, "
        "`snippetFormat`, `thinking`, `contextTokens`, `maxOutputTokens`, `nativePath`, `vision`, `price`, "
        "`successor`.",
    )
    strategy: str = option(
        "auto",
        "How the model is asked: `fim` (Completions API), `partial` (chat, partial mode), or what fits best.",
        project=True,
        choices=("auto", "fim", "partial"),
    )
    fim_template: str = option(
        "auto",
        "Whose tokens a fill-in-the-middle prompt has, on servers of your own; by default, those of the "
        "family that the model's name says.",
        choices=("auto", "qwen", "starcoder", "codegemma", "codellama", "deepseek", "codestral"),
    )
    streaming: str = option(
        "auto",
        "What a stream's chunks carry: new text, all text so far, or no stream at all.",
        choices=("auto", "delta", "cumulative", "off"),
    )
    api_key_env: str | None = option(
        None, "The environment variable that holds the key; by default the provider's own."
    )
    session_header: str | None = option(
        None,
        "A header with a random id of this process, by which a router keeps it on one replica; by default "
        "the provider's own.",
    )
    extra_headers: Mapping[str, str] = option({}, "Headers added to every call.")
    extra_body: Mapping[str, Any] = option({}, "Fields added to every call's body.")
    max_tokens: int | None = option(
        None,
        "The longest answer, in tokens; by default 64 for a line, 256 for a block and what may become one.",
        project=True,
        minimum=1,
        maximum=8192,
    )
    max_lines: int | None = option(
        None,
        "The longest suggestion, in lines; by default 1 or 24, as the place suggests.",
        project=True,
        minimum=1,
        maximum=200,
    )
    temperature: float | None = option(0.0, "Sampling temperature.", minimum=0.0, maximum=1.99)
    top_p: float | None = option(
        None, "Nucleus sampling; set this or temperature.", minimum=0.01, maximum=1.0
    )
    seed: int | None = option(None, "Seed for repeatable answers.", minimum=0, maximum=2**31 - 1)
    presence_penalty: float | None = option(None, "Penalty for repetition.", minimum=-2.0, maximum=2.0)
    stop: tuple[str, ...] = option((), "Strings that end an answer, beside the model's own.")
    debounce_ms: int | str = option(
        "auto",
        "The longest wait for the next key before a call, in milliseconds.",
        project=True,
        minimum=0,
        maximum=5000,
        word="auto",
    )
    timeout_ms: int | None = option(
        None,
        "The longest a call may take, in milliseconds; by default 10000, on the local engine 60000.",
        minimum=500,
        maximum=600_000,
    )
    prompt_tokens: int = option(
        2048,
        "The whole prompt's budget, in tokens; prefix, suffix and context share it.",
        project=True,
        minimum=128,
        maximum=32_768,
    )
    context: bool = option(
        True,
        "Whether a prompt shows code from elsewhere in the workspace: open documents, recent edits, and the "
        "signatures of what the file imports.",
    )
    context_share: float = option(
        0.25,
        "The part of the prompt's budget that such code may have, beside what the file itself leaves.",
        project=True,
        minimum=0.05,
        maximum=0.6,
    )
    trigger: str = option(
        "automatic",
        "Whether suggestions come while typing or only when asked for.",
        project=True,
        choices=("automatic", "manual"),
    )
    look_ahead: bool = option(
        True,
        "Whether answers are read on for a few lines, and what comes after a suggestion that is likely to be "
        "accepted is asked for ahead. Within the limits.",
        project=True,
    )
    languages: tuple[str, ...] = option(
        (), "Language ids: only these, or, with a leading `!`, all but these. Empty: all.", project=True
    )
    quiet: tuple[str, ...] = option(
        QUIET,
        "Where no suggestion comes by itself: `tail` (code right of the cursor), `word` (inside one), "
        "`deletion` (after one), `short` (in a document of fewer than eight characters), `dismissed` (where "
        "one was just dismissed). By default all; an empty list: nowhere.",
        project=True,
        choices=QUIET,
    )
    blocks: tuple[str, ...] = option(
        BLOCKS,
        "Where a suggestion may have several lines: `empty` (a block without a body), `comment` (below a "
        "comment or docstring), `blank` (a blank line at a block's end), `accepted` (after a whole line was "
        "accepted), `opened` (its first line opens a block). By default all; an empty list: never by itself.",
        project=True,
        choices=BLOCKS,
    )
    images: bool = option(
        False,
        "Whether a completion at an image in Markdown, HTML, reStructuredText, LaTeX or AsciiDoc sends that "
        "image, to a model that sees.",
    )
    exclude: tuple[str, ...] = option(
        (), "Globs of files never read or sent, beside the built-in deny list.", project=True
    )
    limits: Mapping[str, float] = option(
        {}, "What may be used at most, counted over all servers of one user on one machine.", parts=LIMITS
    )
    log_level: str = option(
        "warning", "How much is logged to stderr.", choices=("debug", "info", "warning", "error")
    )


OPTIONS: Mapping[str, dataclasses.Field[Any]] = {f.name: f for f in dataclasses.fields(Settings)}
"""Every option by its snake_case name."""


def camel(name: str) -> str:
    """`base_url` → `baseUrl`."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def snake(name: str) -> str:
    """`baseUrl` → `base_url`; a snake_case name stays as it is."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower().replace("-", "_")


def json_schema() -> dict[str, Any]:
    """The settings as a JSON Schema, for editors that check and complete them."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "qwen-ls",
        "type": "object",
        "additionalProperties": False,
        "properties": {camel(name): _schema(spec) for name, spec in OPTIONS.items()},
    }


def _schema(spec: dataclasses.Field[Any]) -> dict[str, Any]:
    kind = str(spec.type).removesuffix(" | None")
    words = {"bool": "boolean", "int": "integer", "float": "number", "str": "string"}
    schema: dict[str, Any] = {"description": spec.metadata["doc"]}
    if kind == "int | str":
        schema["anyOf"] = [{"type": "integer", **_range(spec)}, {"const": spec.metadata["word"]}]
    elif kind in words:
        schema |= {"type": words[kind], **_range(spec)}
    elif kind.startswith("tuple"):
        words_of_list = {"enum": list(spec.metadata["choices"])} if spec.metadata["choices"] else {}
        schema |= {"type": "array", "items": {"type": "string", **words_of_list}}
    else:
        schema["type"] = "object"
    if parts := spec.metadata["parts"]:
        schema |= {
            "additionalProperties": False,
            "properties": {camel(name): _part_schema(part) for name, part in parts.items()},
        }
    if spec.metadata["choices"] and kind in words:
        schema["enum"] = list(spec.metadata["choices"])
    if spec.metadata["url"]:
        schema["format"] = "uri"
    if (default := spec.default) is not dataclasses.MISSING and default is not None:
        schema["default"] = list(default) if isinstance(default, tuple) else default
    return schema


def _part_schema(part: Part) -> dict[str, Any]:
    kind = "integer" if part.whole else "number"
    return {"description": part.doc, "type": kind, "minimum": part.minimum, "maximum": part.maximum}


def _range(spec: dataclasses.Field[Any]) -> dict[str, float]:
    bounds = (("minimum", spec.metadata["minimum"]), ("maximum", spec.metadata["maximum"]))
    return {name: value for name, value in bounds if value is not None}


def as_json(settings: Settings) -> Iterator[tuple[str, Any]]:
    """The settings as (camelCase key, plain value)."""
    for name in OPTIONS:
        value = getattr(settings, name)
        if isinstance(value, Mapping):
            parts = OPTIONS[name].metadata["parts"]
            value = {camel(key) if parts else key: inner for key, inner in value.items()}
        yield camel(name), list(value) if isinstance(value, tuple) else value
