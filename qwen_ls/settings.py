"""What the user may set, as one frozen object: defaults, checks and the JSON Schema.

Pure. `qwen_ls.sources` finds and merges the values; here each one is checked against its option. A wrong
value keeps the default and becomes a `Problem`; nothing here raises.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

if typing.TYPE_CHECKING:
    from collections.abc import Iterator

PROVIDERS = ("dashscope", "openai", "vllm", "llama.cpp", "local")
REGIONS = ("beijing", "singapore", "virginia", "hongkong")


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
) -> Any:
    """A field of `Settings`.

    Args:
        default: the value where no source has one.
        doc: one sentence for the schema and the README.
        project: whether the project's own file may set it (the P of DESIGN §3).
        choices: the words allowed, for strings.
        minimum: the least number allowed.
        maximum: the greatest number allowed.
        word: a word that is allowed beside a number.
        url: whether the string must be an http or https address.
    """
    metadata = {
        "doc": doc,
        "project": project,
        "choices": choices,
        "minimum": minimum,
        "maximum": maximum,
        "word": word,
        "url": url,
    }
    if isinstance(default, dict):
        return field(default_factory=lambda: types.MappingProxyType(dict(default)), metadata=metadata)
    return field(default=default, metadata=metadata)


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
    model: str | None = option(None, "The model's id; by default the best known one for provider and region.")
    strategy: str = option(
        "auto",
        "How the model is asked: `fim` (Completions API), `partial` (chat, partial mode), or what fits best.",
        project=True,
        choices=("auto", "fim", "partial"),
    )
    streaming: str = option(
        "auto",
        "What a stream's chunks carry: new text, all text so far, or no stream at all.",
        choices=("auto", "delta", "cumulative", "off"),
    )
    api_key_env: str | None = option(
        None, "The environment variable that holds the key; by default the provider's own."
    )
    extra_headers: Mapping[str, str] = option({}, "Headers added to every call.")
    extra_body: Mapping[str, Any] = option({}, "Fields added to every call's body.")
    max_tokens: int | None = option(
        None,
        "The longest answer, in tokens; by default 64 for a line and 256 for a block.",
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
    timeout_ms: int = option(
        10_000, "The longest a call may take, in milliseconds.", minimum=500, maximum=600_000
    )
    prompt_tokens: int = option(
        2048,
        "The whole prompt's budget, in tokens; prefix and suffix share it.",
        project=True,
        minimum=128,
        maximum=32_768,
    )
    trigger: str = option(
        "automatic",
        "Whether suggestions come while typing or only when asked for.",
        project=True,
        choices=("automatic", "manual"),
    )
    languages: tuple[str, ...] = option(
        (), "Language ids: only these, or, with a leading `!`, all but these. Empty: all.", project=True
    )
    exclude: tuple[str, ...] = option(
        (), "Globs of files never read or sent, beside the built-in deny list.", project=True
    )
    log_level: str = option(
        "warning", "How much is logged to stderr.", choices=("debug", "info", "warning", "error")
    )


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about the settings that the user should read: the key, the value and what is allowed."""

    key: str
    text: str

    def __str__(self) -> str:
        return self.text


OPTIONS: Mapping[str, dataclasses.Field[Any]] = {f.name: f for f in dataclasses.fields(Settings)}
"""Every option by its snake_case name."""


def camel(name: str) -> str:
    """`base_url` → `baseUrl`."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def snake(name: str) -> str:
    """`baseUrl` → `base_url`; a snake_case name stays as it is."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower().replace("-", "_")


def check(
    values: Mapping[str, Any], *, source: str, project: bool = False
) -> tuple[dict[str, Any], list[Problem]]:
    """Sort what a source says into good values, by snake_case name, and problems.

    Args:
        values: as the source has them; None means "not set".
        source: where they come from, as a message would say it ("the environment", a file's name).
        project: whether the source is a project's file, which may set only some options.
    """
    good: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, value in values.items():
        name = snake(str(key))
        spec = OPTIONS.get(name)
        if value is None:
            continue
        if spec is None:
            problems.append(Problem(str(key), _unknown(str(key), source)))
        elif project and not spec.metadata["project"]:
            text = (
                f"{source}: {camel(name)} is ignored; a project may not set it. Set it in your own settings."
            )
            problems.append(Problem(name, text))
        else:
            try:
                good[name] = _coerce(spec, value)
            except ValueError as error:
                text = f"{source}: {camel(name)} is {_shown(value)}; allowed: {error}. It is ignored."
                problems.append(Problem(name, text))
    return good, problems


def mask(text: str) -> str:
    """The text with everything that looks like a key made unreadable."""
    return re.sub(r"\b(sk-|Bearer\s+)[\w.+/=-]+", r"\1…", text)


def json_schema() -> dict[str, Any]:
    """The settings as a JSON Schema, for editors that check and complete them."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "qwen-ls",
        "type": "object",
        "additionalProperties": False,
        "properties": {camel(name): _schema(spec) for name, spec in OPTIONS.items()},
    }


def _unknown(key: str, source: str) -> str:
    near = difflib.get_close_matches(snake(key), OPTIONS, n=1, cutoff=0.5)
    hint = f" Did you mean {camel(near[0])}?" if near else " `qwen-ls config` lists all."
    return f"{source}: there is no setting {mask(key)[:60]}.{hint}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return mask(text if len(text) <= 60 else text[:57] + "…")


def _coerce(spec: dataclasses.Field[Any], value: Any) -> Any:
    """The value as the option's type.

    Raises:
        ValueError: it is none; the message says what is allowed.
    """
    kind = str(spec.type).removesuffix(" | None")
    return _COERCE[kind](spec, value)


def _bool(_: dataclasses.Field[Any], value: Any) -> bool:
    words = {
        "true": True,
        "1": True,
        "yes": True,
        "on": True,
        "false": False,
        "0": False,
        "no": False,
        "off": False,
    }
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    raise ValueError("true or false")


def _number(spec: dataclasses.Field[Any], value: Any) -> Any:
    whole = "int" in str(spec.type)
    low, high, word = (spec.metadata[key] for key in ("minimum", "maximum", "word"))
    if word and value == word:
        return value
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise TypeError
        number = float(value)
        if not low <= number <= high or (whole and number != int(number)):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        kind = "a whole number" if whole else "a number"
        also = f', or "{word}"' if word else ""
        raise ValueError(f"{kind} from {low} to {high}{also}") from None
    return int(number) if whole else number


def _str(spec: dataclasses.Field[Any], value: Any) -> str:
    choices: tuple[str, ...] = spec.metadata["choices"]
    if not isinstance(value, str):
        raise ValueError("a string" if not choices else "one of " + ", ".join(choices))  # noqa: TRY004 - one type for the caller
    text = value.strip()
    if choices:
        for choice in choices:
            if text.lower() == choice:
                return choice
        near = difflib.get_close_matches(text.lower(), choices, n=1)
        raise ValueError("one of " + ", ".join(choices) + (f" (did you mean {near[0]}?)" if near else ""))
    if not text:
        raise ValueError("a string that is not empty")
    if spec.metadata["url"] and not re.fullmatch(r"https?://[^\s/?#]+([/?#]\S*)?", text):
        raise ValueError("an address that begins with http:// or https://")
    if spec.name == "api_key_env" and not re.fullmatch(r"[A-Za-z_]\w*", text):
        raise ValueError("the name of an environment variable (not the key itself)")
    return text


def _strings(_: dataclasses.Field[Any], value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()] if value.strip() else []
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return tuple(value)
    raise ValueError("a list of strings")


def _table(spec: dataclasses.Field[Any], value: Any) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        if "Any" in str(spec.type):
            return types.MappingProxyType(dict(value))
        if all(isinstance(part, str) and "\n" not in part and "\r" not in part for part in value.values()):
            return types.MappingProxyType(dict(value))
    raise ValueError("a table of names and values")


_COERCE: dict[str, Callable[[dataclasses.Field[Any], Any], Any]] = {
    "bool": _bool,
    "int": _number,
    "float": _number,
    "int | str": _number,
    "str": _str,
    "tuple[str, ...]": _strings,
    "Mapping[str, str]": _table,
    "Mapping[str, Any]": _table,
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
        schema |= {"type": "array", "items": {"type": "string"}}
    else:
        schema["type"] = "object"
    if spec.metadata["choices"]:
        schema["enum"] = list(spec.metadata["choices"])
    if spec.metadata["url"]:
        schema["format"] = "uri"
    if (default := spec.default) is not dataclasses.MISSING and default is not None:
        schema["default"] = list(default) if isinstance(default, tuple) else default
    return schema


def _range(spec: dataclasses.Field[Any]) -> dict[str, float]:
    bounds = (("minimum", spec.metadata["minimum"]), ("maximum", spec.metadata["maximum"]))
    return {name: value for name, value in bounds if value is not None}


def as_json(settings: Settings) -> Iterator[tuple[str, Any]]:
    """The settings as (camelCase key, plain value)."""
    for name in OPTIONS:
        value = getattr(settings, name)
        if isinstance(value, Mapping):
            value = dict(value)
        yield camel(name), list(value) if isinstance(value, tuple) else value
