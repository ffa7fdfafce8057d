"""A language's own server, as far as qwen-ls has to get along with one: it answers at once, with three words.

`python -m tests.editors.neighbour`
"""

from __future__ import annotations

import json
import sys
from typing import Any

from tests.lsp.wire import frame

WORDS = ("repeat", "result", "return")
VARIABLE = 6
"""LSP `CompletionItemKind.Variable`."""
ANSWERS: dict[str, Any] = {
    "initialize": {"capabilities": {"completionProvider": {"triggerCharacters": ["."]}}},
    "textDocument/completion": [{"label": word, "kind": VARIABLE} for word in WORDS],
}


def main() -> None:
    """Serve until the input ends."""
    stream = sys.stdin.buffer
    while line := stream.readline():
        length = int(line.split(b":")[1])
        while stream.readline().strip():
            pass
        message = json.loads(stream.read(length))
        if "id" in message and "method" in message:
            answer = {"jsonrpc": "2.0", "id": message["id"], "result": ANSWERS.get(message["method"])}
            sys.stdout.buffer.write(frame(answer))
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
