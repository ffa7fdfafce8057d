"""Writes what qwen-ls publishes into the extension: its settings, and whose key is in which variable.

Run it as `python editors/vscode/settings.py`, with `qwen_ls` importable; a test fails when that is due.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from qwen_ls.backend.presets import PROVIDERS
from qwen_ls.settings import OPTIONS, camel, json_schema

FOLDER = Path(__file__).parent
PACKAGE = FOLDER / "package.json"
PROVIDERS_FILE = FOLDER / "src" / "providers.json"
GROUP = "Completions"
"""The title of the generated group of settings; the extension finds the server's settings by it."""


def properties() -> dict[str, Any]:
    """VS Code's `contributes.configuration` for every setting of the server.

    What a project's own file may set, a workspace may set. All else is the machine's: a workspace can neither
    redirect a key nor spend more.
    """
    schemas = json_schema()["properties"]
    return {f"qwen-ls.{camel(name)}": _property(schemas[camel(name)], name) for name in OPTIONS}


def _property(schema: dict[str, Any], name: str) -> dict[str, Any]:
    made = {key: value for key, value in schema.items() if key not in {"description", "format"}}
    if "anyOf" in made:  # VS Code's settings page wants types
        made = {"type": ["integer", "string"], **made}
    elif "default" not in made and made["type"] not in {"array", "object"}:
        made |= {"type": [made["type"], "null"], "default": None}
    scope = "window" if OPTIONS[name].metadata["project"] else "machine"
    return {"markdownDescription": schema["description"], "scope": scope, **made}


def providers() -> list[dict[str, str]]:
    """The providers that take a key, by name, title and the variable of the key."""
    return [
        {"name": row.name, "title": row.title, "variable": row.key_env}
        for row in PROVIDERS.values()
        if row.key_env
    ]


def package() -> dict[str, Any]:
    """The extension's manifest, with the settings as they are now."""
    manifest = json.loads(PACKAGE.read_text("utf-8"))
    for group in manifest["contributes"]["configuration"]:
        if group["title"] == GROUP:
            group["properties"] = properties()
    return manifest


def as_text(value: Any) -> str:
    """JSON as npm writes it."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PACKAGE.write_text(as_text(package()), "utf-8")
    PROVIDERS_FILE.write_text(as_text(providers()), "utf-8")
