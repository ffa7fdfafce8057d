"""Checks the setting `models`: the user's own rows for models. Pure.

A row says what differs from what qwen-ls knows of the id; what its fields mean stands in `backend/models.py`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from qwen_ls.settings import camel, snake

STRATEGIES = ("fim", "partial")
WORDS = {
    "layout": ("psm", "spm", "line-last"),
    "snippet_format": ("repository", "comments"),
    "thinking": ("never", "hybrid", "only"),
    "native_path": ("text", "multimodal"),
}
"""The fields of one word, and the words: a test compares them with the types of `backend` and `core`."""
MOST_TOKENS = 100_000_000


def check_rows(table: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The rows by model id, with snake_case fields.

    Raises:
        ValueError: a row is wrong; the message names the row and the field and says what is allowed.
    """
    rows = {}
    for model, row in table.items():
        if not model.strip() or len(model) > 200:
            raise ValueError("a table of model ids, none of them empty")
        if not isinstance(row, Mapping):
            raise ValueError(f"for {model} a table, as in {{contextTokens: 32768}}")  # noqa: TRY004 - one type for the caller
        rows[model.strip()] = _fields(row, _ROW, f"for {model}, ")
    return rows


_Check = Callable[[Any, str], Any]
"""A value and where it stands, to a good value, or ValueError."""


def _fields(row: Mapping[str, Any], checks: Mapping[str, _Check], where: str) -> dict[str, Any]:
    good = {}
    for key, value in row.items():
        name = snake(str(key))
        if name not in checks:
            near = difflib.get_close_matches(name, checks, n=1)
            hint = f" (did you mean {camel(near[0])}?)" if near else ""
            raise ValueError(f"{where}only {', '.join(map(camel, checks))}{hint}")
        good[name] = checks[name](value, f"{where}{camel(name)}: ")
    return good


def _word(words: tuple[str, ...]) -> _Check:
    def check(value: Any, where: str) -> str:
        word = value.strip().lower() if isinstance(value, str) else ""
        if word not in words:
            raise ValueError(f"{where}one of {', '.join(words)}")
        return word

    return check


def _strategies(value: Any, where: str) -> tuple[str, ...]:
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list | tuple) or not found or any(word not in STRATEGIES for word in found):
        raise ValueError(f"{where}a list of {' and '.join(STRATEGIES)}, the better first")
    return tuple(dict.fromkeys(found))


def _tokens(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_TOKENS:
        raise ValueError(f"{where}a whole number of tokens from 1 to {MOST_TOKENS}")
    return value


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{where}true or false")  # noqa: TRY004 - one type for the caller
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.isprintable() or len(value) > 200:
        raise ValueError(f"{where}a short string")
    return value.strip()


def _amount(most: float) -> _Check:
    def check(value: Any, where: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            raise ValueError(f"{where}a number from 0 to {most:g}")
        return float(value)

    return check


def _currency(value: Any, where: str) -> str:
    if not isinstance(value, str) or len(value) != 3 or not (value.isascii() and value.isalpha()):
        raise ValueError(f"{where}a currency's three letters, as in CNY or USD")
    return value.upper()


def _tiers(value: Any, where: str) -> list[dict[str, Any]]:
    if not isinstance(value, list | tuple) or not value or not all(isinstance(t, Mapping) for t in value):
        raise ValueError(f"{where}a list of tables, as in {{upToTokens: 32768, input: 0.004, output: 0.016}}")
    tiers = [_fields(tier, _TIER, where) for tier in value]
    if any(not {"input", "output"} <= tier.keys() for tier in tiers):
        raise ValueError(f"{where}input and output in every one of them")
    return sorted(tiers, key=lambda tier: tier.get("up_to_tokens", MOST_TOKENS + 1))


def _price(value: Any, where: str) -> dict[str, Any]:
    example = f"{where}a table, as in {{input: 0.002, output: 0.006}}, for 1000 tokens"
    if not isinstance(value, Mapping):
        raise ValueError(example)  # noqa: TRY004 - one type for the caller
    price = _fields(value, _PRICE, where)
    flat = {name: price.pop(name) for name in ("input", "output") if name in price}
    if flat and "tiers" in price:
        raise ValueError(f"{where}input and output, or tiers, not both")
    if "tiers" not in price:
        if len(flat) < 2:
            raise ValueError(example)
        price["tiers"] = [flat]
    # Only who knows of a discount may count on it.
    return {"currency": "CNY", "cached_share": 1.0, **price}


_TIER: dict[str, _Check] = {
    "up_to_tokens": _tokens,
    "input": _amount(1_000_000),
    "output": _amount(1_000_000),
}
_PRICE: dict[str, _Check] = {
    "input": _amount(1_000_000),
    "output": _amount(1_000_000),
    "tiers": _tiers,
    "currency": _currency,
    "cached_share": _amount(1),
}
_ROW: dict[str, _Check] = {
    "strategies": _strategies,
    **{name: _word(words) for name, words in WORDS.items()},
    "context_tokens": _tokens,
    "max_output_tokens": _tokens,
    "prompt_cap_tokens": _tokens,
    "vision": _flag,
    "price": _price,
    "retired": _text,
    "leaving": _text,
    "successor": _text,
}
