"""The two ways to a hole's text: the raw prompt, and the whole server over LSP."""

from __future__ import annotations

import http.client
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from qwen_ls.backend.models import QWEN_STOPS
from qwen_ls.backend.presets import LocalEndpoint
from qwen_ls.core.prompt import fim
from qwen_ls.core.types import Layout, SnippetFormat
from tests.bench.quality.problems import Problem
from tests.bench.quality.scoring import Answer
from tests.bench.wire import PYTHON, Server

PREFIX = "prefix"
"""The text before the hole alone, with no tokens: what any completions API can do."""
LAYOUTS = (PREFIX, *(layout.value for layout in Layout))
SNIPPETS = tuple(form.value for form in SnippetFormat)
ALONE = "alone"
"""Of the server: without code from elsewhere."""
VARIANTS = tuple(
    f"{layout.value}{code}" for layout in Layout for code in ("", *(f"/{one}" for one in (*SNIPPETS, ALONE)))
)
"""How the server may be run: a layout, or a layout and what of other files the prompt shows."""
LINE_TOKENS, BLOCK_TOKENS = 64, 256
TIMEOUT_S = 600.0
LOCAL = {"provider": "local", "baseUrl": ""}
"""The settings by which a server asks its own local model instead."""
NOTHING_REUSED = {"cache_prompt": False}
"""llama.cpp's: what it reuses of another arm's prompt changes how this one is read, and near ties with it."""


class Raw:
    """The bare prompt, greedy: the answer as it comes, up to a line end where the hole is one line."""

    def __init__(self, layout: str, endpoint: LocalEndpoint) -> None:
        self.name = f"raw {layout}"
        self._layout, self._endpoint = layout, endpoint

    def answer(self, problem: Problem, *, one_line: bool) -> Answer:
        """Ask, and put what comes into the hole."""
        prompt = problem.before
        if self._layout != PREFIX:
            prompt = fim(problem.before, problem.after, Layout(self._layout))
        body = {
            "model": self._endpoint.model,
            "prompt": prompt,
            "max_tokens": LINE_TOKENS if one_line else BLOCK_TOKENS,
            "temperature": 0,
            "stop": ["\n"] * one_line + list(QWEN_STOPS),
            **NOTHING_REUSED,
        }
        started_s = time.perf_counter()
        said = post(self._endpoint, body)
        text = said["choices"][0]["text"]
        if one_line and problem.is_whole_lines:
            text += "\n"  # which is where it was stopped
        usage = said.get("usage") or {}
        return Answer(
            document=problem.before + text + problem.after,
            text=text,
            prompt_tokens=usage.get("prompt_tokens", 0),
            cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0),
            completion_tokens=usage.get("completion_tokens", 0),
            seconds=time.perf_counter() - started_s,
        )

    def close(self) -> None:
        """Nothing is held."""


def forget(endpoint: LocalEndpoint) -> None:
    """Put another prompt into the engine's cache."""
    post(endpoint, {"model": endpoint.model, "prompt": "#", "max_tokens": 1, **NOTHING_REUSED})


def post(endpoint: LocalEndpoint, body: dict[str, Any]) -> dict[str, Any]:
    """One completion, not streamed.

    Raises:
        OSError: the engine does not answer.
        RuntimeError: it answers with an error.
    """
    address = urlsplit(endpoint.base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=TIMEOUT_S)
    try:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {endpoint.api_key}"}
        connection.request("POST", f"{address.path}/completions", json.dumps(body), headers)
        response = connection.getresponse()
        said: dict[str, Any] = json.loads(response.read())
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise RuntimeError(f"the engine answered {response.status}")
    return said


class Through:
    """A server process of its own, asked as an editor asks; what it shows is accepted."""

    def __init__(
        self,
        name: str,
        options: dict[str, Any],
        *,
        before: Callable[[], None] = lambda: None,
        root: Path | None = None,
    ) -> None:
        """Start a server.

        Args:
            name: the arm's.
            options: the server's settings.
            before: called before each hole.
            root: the workspace's folder, where the holes' documents are files of one.
        """
        self.name = name
        self._options, self._before, self._root = options, before, root
        self._server = Server([PYTHON, "-m", "qwen_ls", "--stdio"], environment())
        self._opened = 0

    @classmethod
    def asking(
        cls, endpoint: LocalEndpoint, variant: str = "", *, root: Path | None = None, **options: Any
    ) -> Self:
        """A server that asks the model of an engine, in a way other than its row's where one is given.

        Args:
            endpoint: where the engine answers.
            variant: a layout for the model's row, and behind a slash the format of snippets, or `ALONE`.
            root: the workspace's folder.
            options: further settings; `provider` is `llama.cpp` unless it is among them.
        """
        layout, _, code = variant.partition("/")
        row = {"layout": layout} if layout else {}
        if code in SNIPPETS:
            row["snippetFormat"] = code
        models = {"models": {endpoint.model: row}} if row else {}
        options = asking(endpoint) | models | {"context": code != ALONE} | options
        return cls(f"qwen-ls {variant}".strip(), options, before=lambda: forget(endpoint), root=root)

    @classmethod
    def with_local_model(
        cls, endpoint: LocalEndpoint, variant: str = "", *, root: Path | None = None, **options: Any
    ) -> Self:
        """The same with the server's own local model, and what its row says of prompts."""
        return cls.asking(endpoint, variant, root=root, **(LOCAL | options))

    def answer(self, problem: Problem, *, one_line: bool) -> Answer:
        """Open the document with the cursor in the hole, ask, accept.

        A hole of one line is asked for as by typing, any other explicitly. Whole lines leave an empty line.
        """
        self._before()
        if not self._opened:
            self._server.initialize(self._options, root=self._root)
        after = "\n" + problem.after if problem.is_whole_lines else problem.after
        text = problem.before + after
        folder = self._root.as_uri() if self._root else f"file:///bench/{self._opened}"
        uri = f"{folder}/{problem.path}"
        beside = [f"{folder}/{path}" for path in problem.beside]
        self._opened += 1
        for path, one in zip(problem.beside, beside, strict=True):
            assert self._root, "files are open that lie in no workspace"
            self._open(one, (self._root / path).read_bytes().decode("utf-8"))
        self._open(uri, text)
        started_s = time.perf_counter()
        result = self._server.request(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": uri},
                "position": position(text, len(problem.before)),
                "context": {"triggerKind": 2 if one_line else 1},
            },
        )
        seconds = time.perf_counter() - started_s
        story = self._server.request("workspace/executeCommand", {"command": "qwen-ls.explain"})
        for one in (uri, *beside):
            closed = {"textDocument": {"uri": one}}
            self._server.write({"method": "textDocument/didClose", "params": closed})
        items = (result or {}).get("items") or []
        usage = story.get("usage") or {}
        filled = accepted(text, items[0]) if items else text
        return Answer(
            document=filled,
            text=items[0]["insertText"] if items else "",
            prompt_tokens=usage.get("prompt_tokens", 0),
            cached_tokens=usage.get("cached_tokens", 0),
            completion_tokens=usage.get("completion_tokens", 0),
            seconds=seconds,
            snippets=len(story.get("snippets", ())),
            note="" if items else story.get("reason", ""),
        )

    def _open(self, uri: str, text: str) -> None:
        document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
        self._server.write({"method": "textDocument/didOpen", "params": {"textDocument": document}})

    def close(self) -> None:
        """End the server."""
        self._server.__exit__()


def asking(endpoint: LocalEndpoint) -> dict[str, Any]:
    """A server's settings by which it asks the model of an engine, with as long to answer as it takes."""
    return {
        "provider": "llama.cpp",
        "baseUrl": endpoint.base_url,
        "model": endpoint.model,
        "debounceMs": 0,
        "timeoutMs": int(TIMEOUT_S * 1000),
        "lookAhead": False,  # it would take the engine's time from the next question
    }


def environment() -> dict[str, str]:
    """Nothing of the user's own settings."""
    ledger = os.environ.get("QWEN_LS_LEDGER_DIR") or tempfile.mkdtemp(prefix="qwen-ls-bench-")
    return {
        "QWEN_LS_CONFIG": os.devnull,
        "QWEN_LS_LEDGER_DIR": ledger,
        "DASHSCOPE_API_KEY": "sk-test",
        "NO_PROXY": "127.0.0.1",
    }


def position(text: str, offset: int) -> dict[str, int]:
    """Where an offset, in characters, is to a client that counts in UTF-16."""
    line_start = text.rfind("\n", 0, offset) + 1
    units = len(text[line_start:offset].encode("utf-16-le")) // 2
    return {"line": text.count("\n", 0, offset), "character": units}


def replaced(text: str, item: dict[str, Any]) -> tuple[int, int]:
    """From where to where an item replaces, in characters."""
    lines = text.split("\n")

    def offset(position: dict[str, int]) -> int:
        line = lines[position["line"]]
        units = line.encode("utf-16-le")[: position["character"] * 2]
        return sum(len(past) + 1 for past in lines[: position["line"]]) + len(units.decode("utf-16-le"))

    return offset(item["range"]["start"]), offset(item["range"]["end"])


def accepted(text: str, item: dict[str, Any]) -> str:
    """The document after an item is accepted."""
    start, end = replaced(text, item)
    return text[:start] + item["insertText"] + text[end:]
