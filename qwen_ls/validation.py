"""Checks what a source says against the options. Pure: a wrong value becomes a `Problem`; nothing raises."""

from __future__ import annotations

import difflib
import json
import re
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qwen_ls.model_rows import check_rows
from qwen_ls.settings import OPTIONS, camel, snake

if TYPE_CHECKING:
    import dataclasses

    from qwen_ls.settings import Part


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about the settings that the user should read: the key, the value and what is allowed."""

    key: str
    text: str

    def __str__(self) -> str:
        return self.text


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
        elif spec.metadata["parts"] and (table := _as_table(value)) is not None:
            good[name], trouble = _check_parts(spec, table, source)
            problems.extend(trouble)
        else:
            try:
                good[name] = _coerce(spec, value)
            except ValueError as error:
                text = f"{source}: {camel(name)} is {_shown(spec, value)}; allowed: {error}. It is ignored."
                problems.append(Problem(name, text))
    return good, problems


def _check_parts(
    spec: dataclasses.Field[Any], table: Mapping[str, Any], source: str
) -> tuple[Mapping[str, float], list[Problem]]:
    """Sort a table of known numbers: one that is wrong does not spoil the others."""
    parts: Mapping[str, Part] = spec.metadata["parts"]
    good: dict[str, float] = {}
    problems: list[Problem] = []
    for key, value in table.items():
        name = snake(key)
        path = f"{camel(spec.name)}.{camel(name)}"
        if value is None:
            continue
        if name not in parts:
            near = difflib.get_close_matches(name, parts, n=1, cutoff=0.5)
            known = [camel(near[0])] if near else [camel(part) for part in parts]
            hint = f"Did you mean {known[0]}?" if near else f"There are {', '.join(known)}."
            text = f"{source}: there is no setting {camel(spec.name)}.{mask(key)[:60]}. {hint}"
            problems.append(Problem(path, text))
            continue
        part = parts[name]
        try:
            good[name] = _in_range(value, part.minimum, part.maximum, whole=part.whole)
        except ValueError as error:
            text = f"{source}: {path} is {_short(value)}; allowed: {error}. It is ignored."
            problems.append(Problem(path, text))
    return types.MappingProxyType(good), problems


def mask(text: str) -> str:
    """The text with everything that looks like a key, or a password in an address, made unreadable."""
    text = re.sub(r"\b(sk-|Bearer\s+)[\w.+/=-]+", r"\1…", text)
    text = re.sub(r"//[^/@\s]*@", "//…@", text)
    return re.sub(r"(?i)([?&][^=&\s]*(?:key|token|secret|auth|passw)[^=&\s]*=)[^&\s\"]*", r"\1…", text)


def _unknown(key: str, source: str) -> str:
    near = difflib.get_close_matches(snake(key), OPTIONS, n=1, cutoff=0.5)
    hint = f" Did you mean {camel(near[0])}?" if near else " `qwen-ls config` lists all."
    return f"{source}: there is no setting {mask(key)[:60]}.{hint}"


def _shown(spec: dataclasses.Field[Any], value: Any) -> str:
    """The value as messages have it: none of a table, which may hold secrets, nor a key in `apiKeyEnv`."""
    if isinstance(value, Mapping) or "Mapping" in str(spec.type) or spec.name == "api_key_env":
        return "…"
    return _short(value)


def _short(value: Any) -> str:
    text = mask(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= 60 else text[:57] + "…"


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
    return _in_range(value, low, high, whole=whole, also=f', or "{word}"' if word else "")


def _in_range(value: Any, low: float, high: float, *, whole: bool, also: str = "") -> float:
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise TypeError
        number = float(value)
        if not low <= number <= high or (whole and number != int(number)):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        kind = "a whole number" if whole else "a number"
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


def _strings(spec: dataclasses.Field[Any], value: Any) -> tuple[str, ...]:
    choices: tuple[str, ...] = spec.metadata["choices"]
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()] if value.strip() else []
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        if not choices:
            return tuple(value)
        words = tuple(part.strip().lower() for part in value)
        if all(word in choices for word in words):
            return words
    raise ValueError("a list of " + (", ".join(choices) if choices else "strings"))


def _as_table(value: Any) -> Mapping[str, Any] | None:
    """The value as a table, of which the environment has the JSON; None where it is none."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    is_table = isinstance(value, Mapping) and all(isinstance(key, str) for key in value)
    return value if is_table else None


def _table(spec: dataclasses.Field[Any], given: Any) -> Mapping[str, Any]:
    value = _as_table(given)
    if value is not None and not spec.metadata["parts"]:
        if spec.name == "models":
            return types.MappingProxyType(check_rows(value))
        if "Any" in str(spec.type):
            return types.MappingProxyType(dict(value))
        if all(isinstance(part, str) and "\n" not in part and "\r" not in part for part in value.values()):
            return types.MappingProxyType(dict(value))
    if parts := spec.metadata["parts"]:
        raise ValueError("a table of " + ", ".join(map(camel, parts)))
    raise ValueError("a table of names and values")


_COERCE: dict[str, Callable[[dataclasses.Field[Any], Any], Any]] = {
    "bool": _bool,
    "int": _number,
    "float": _number,
    "int | str": _number,
    "str": _str,
    "tuple[str, ...]": _strings,
    "Mapping[str, str]": _table,
    "Mapping[str, float]": _table,
    "Mapping[str, Any]": _table,
    "Mapping[str, Mapping[str, Any]]": _table,
}
