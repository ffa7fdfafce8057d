"""Answers `initialize` before anything heavy is imported.

Editors wait for this answer; pygls and lsprotocol take half a second to import. The answer depends on the
request alone, so it is given from the raw message. The session takes the same message afterwards, and leaves
out its own answer.
"""

from __future__ import annotations

import json
import os
from typing import NamedTuple

from qwen_ls.lsp.capabilities import initialize_result
from qwen_ls.lsp.framing import Framer, frame

READ_BYTES = 64 * 1024


class Greeting(NamedTuple):
    """What was read before the session began, and which request has its answer."""

    data: bytes
    answered: int | str | None


def greet(reading: int, writing: int) -> Greeting:
    """Wait for the first message; answer it if it is a sound `initialize`. Blocks; never raises.

    Args:
        reading: a descriptor of the client's output.
        writing: a descriptor of the client's input.
    """
    framer, data = Framer(), b""
    try:
        while chunk := os.read(reading, READ_BYTES):
            data += chunk
            if bodies := framer.feed(chunk):
                return Greeting(data, _answer(bodies[0], writing))
    except OSError:
        pass  # the session will meet the same descriptor
    return Greeting(data, None)


def _answer(body: bytes, writing: int) -> int | str | None:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if (
        not isinstance(message, dict)
        or message.get("jsonrpc") != "2.0"
        or message.get("method") != "initialize"
    ):
        return None
    request_id, params = message.get("id"), message.get("params")
    if isinstance(request_id, bool) or not isinstance(request_id, int | str) or not isinstance(params, dict):
        return None
    answer = {"jsonrpc": "2.0", "id": request_id, "result": initialize_result(params)}
    view = memoryview(frame(json.dumps(answer, separators=(",", ":")).encode()))
    while view:
        view = view[os.write(writing, view) :]
    return request_id
