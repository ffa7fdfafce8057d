"""Short forms of requests, for the tests of the fake."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

COMPLETIONS = "/compatible-mode/v1/completions"
CHAT = "/compatible-mode/v1/chat/completions"
TEXT = "/api/v1/services/aigc/text-generation/generation"
MULTIMODAL = "/api/v1/services/aigc/multimodal-generation/generation"
PREFIX = "def f(n):\n    "
FIM = f"<|fim_prefix|>{PREFIX}<|fim_suffix|>\n    return n\n<|fim_middle|>"


def fim(**changes: Any) -> dict[str, Any]:
    """The body of a FIM request."""
    return {"model": "qwen-coder-turbo", "prompt": FIM, **changes}


def chat(prefix: str = PREFIX, **changes: Any) -> dict[str, Any]:
    """The body of a partial-mode request."""
    messages = [
        {"role": "user", "content": "Go on."},
        {"role": "assistant", "content": prefix, "partial": True},
    ]
    return {"model": "qwen3-coder-plus", "messages": messages, **changes}


def native(prefix: str = PREFIX, model: str = "qwen3-coder-plus", **parameters: Any) -> dict[str, Any]:
    """The body of a native partial-mode request."""
    return {
        "model": model,
        "input": {"messages": chat(prefix)["messages"]},
        "parameters": {"result_format": "message", **parameters},
    }


BODIES = {COMPLETIONS: fim, CHAT: chat, TEXT: native}


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: httpx.Headers
    raw: bytes
    pieces: list[bytes]
    """As they came off the wire."""

    @property
    def json(self) -> Any:
        """The body of an answer that was not streamed."""
        return json.loads(self.raw)

    @property
    def data(self) -> list[Any]:
        """The JSON of every ``data:`` line, ``[DONE]`` left out."""
        lines = [line for line in self.raw.decode().splitlines() if line.startswith("data:")]
        texts = [line.removeprefix("data:").strip() for line in lines]
        return [json.loads(text) for text in texts if text != "[DONE]"]

    @property
    def choices(self) -> list[Any]:
        """The first choice of every chunk that has one."""
        return [data["choices"][0] for data in self.data if data.get("choices")]

    @property
    def texts(self) -> list[Any]:
        """The text of every chunk, whichever the protocol."""
        return [text_in(data) for data in self.data if text_in(data) is not None]


def text_in(data: dict[str, Any]) -> Any:
    """The text of one chunk."""
    if "output" in data:
        output = data["output"]
        return output["choices"][0]["message"]["content"] if "choices" in output else output["text"]
    if not data.get("choices"):
        return None
    choice = data["choices"][0]
    return choice["text"] if "text" in choice else choice["delta"]["content"]


async def ask(
    client: httpx.AsyncClient, path: str, body: dict[str, Any] | None = None, **headers: str
) -> Answer:
    """Send a request and read the whole answer as it comes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.stream(
        "POST", path, json=BODIES[path]() if body is None else body, headers=named
    ) as got:
        pieces = [piece async for piece in got.aiter_bytes()]
    return Answer(got.status_code, got.headers, b"".join(pieces), pieces)


async def stream(client: httpx.AsyncClient, path: str = COMPLETIONS, **changes: Any) -> Answer:
    """Stream in the way of the path; ``changes`` go into the body (native: into the parameters)."""
    if path in {COMPLETIONS, CHAT}:
        return await ask(client, path, BODIES[path](stream=True, **changes))
    return await ask(client, path, BODIES[path](**changes), x_dashscope_sse="enable")
