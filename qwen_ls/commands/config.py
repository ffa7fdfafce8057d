"""`qwen-ls config`: the settings in force and where each came from, or the JSON Schema. Shows no secret."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

from qwen_ls.commands import EXIT_DONE, EXIT_USAGE, preparation
from qwen_ls.settings import as_json, json_schema, snake
from qwen_ls.validation import mask

if TYPE_CHECKING:
    import argparse

    from qwen_ls.settings import Settings

_SECRET_NAME = re.compile(r"auth|key|token|secret|cookie|passw|credential|session", re.IGNORECASE)
MASK = "•••"


def run(arguments: argparse.Namespace) -> int:
    """Run the command; the exit code says whether the settings are in order.

    Raises:
        CommandError: what `--set` was given is wrong.
    """
    if arguments.schema:
        print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
        return EXIT_DONE
    loaded = preparation.load(arguments.overrides, quiet=arguments.json)
    rows = {
        key: {"value": masked(key, value), "origin": _origin(loaded.origins.get(snake(key), "default"))}
        for key, value in as_json(loaded.settings)
    }
    problems = [str(problem) for problem in loaded.problems]
    asked, key = describe_target(loaded.settings), describe_key(loaded.settings)
    if arguments.json:
        found = {"settings": rows, "asked": asked, "key": key, "problems": problems}
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        _print_rows(rows)
        print(f"\nasked: {asked}\nkey:   {key}")
    return EXIT_USAGE if problems else EXIT_DONE


def masked(name: str, value: Any) -> Any:
    """A value that may be shown: what has a secret's name, or looks like a key, is made unreadable."""
    if isinstance(value, dict):
        hidden = name == "extraHeaders"  # whatever they are called, headers carry credentials
        return {
            key: MASK if hidden or _SECRET_NAME.search(key) else masked(key, inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [masked(name, inner) for inner in value]
    if not isinstance(value, str):
        return value
    if name == "baseUrl":
        value = re.sub(r"//[^/@]*@", f"//{MASK}@", value)
        value = re.sub(
            r"([?&][^=&]*(?:key|token|secret)[^=&]*=)[^&]*", rf"\1{MASK}", value, flags=re.IGNORECASE
        )
    return mask(value)


def describe_target(settings: Settings) -> str:
    """What calls are made to, as the settings have it, or why none can be made."""
    from qwen_ls.backend.base import ConfigurationError
    from qwen_ls.backend.plan import resolve

    try:
        target = resolve(settings)
    except ConfigurationError as error:
        return str(error)
    where = masked("baseUrl", target.url) if target.base_url else target.provider.title
    return f"{target.model}, strategy {target.strategy.value}, at {where}"


def describe_key(settings: Settings) -> str:
    """Where the key comes from, or why there is none; never the key."""
    from qwen_ls.backend.base import ConfigurationError
    from qwen_ls.backend.connect import key_for
    from qwen_ls.backend.plan import resolve

    try:
        target = resolve(settings)
        if target.provider.name == "local":
            return "none is needed: the model runs on this machine"
        key = key_for(target, settings, os.environ)
    except ConfigurationError as error:
        return str(error)
    return f"from the {key.source}" if key else "none is needed here, and none is sent"


def _origin(origin: str) -> str:
    return "--set" if origin == "editor (initializationOptions)" else origin


def _print_rows(rows: dict[str, dict[str, Any]]) -> None:
    shown = {key: json.dumps(row["value"], ensure_ascii=False) for key, row in rows.items()}
    key_width = max(map(len, shown))
    value_width = min(40, max(map(len, shown.values())))
    for key, value in shown.items():
        print(f"{key:{key_width}}  {value:{value_width}}  {rows[key]['origin']}")
