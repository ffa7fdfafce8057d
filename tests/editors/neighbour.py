"""A language's own server, as far as qwen-ls has to get along with one: it answers with three words.

`python -m tests.editors.neighbour [SECONDS]`: how long it takes for them.
"""

from __future__ import annotations

import json
import sys
import time
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
    stream, takes_s = sys.stdin.buffer, float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
    while line := stream.readline():
        length = int(line.split(b":")[1])
        while stream.readline().strip():
            pass
        message = json.loads(stream.read(length))
        if "id" in message and "method" in message:
            time.sleep(takes_s if "completion" in message["method"] else 0.0)
            answer = {"jsonrpc": "2.0", "id": message["id"], "result": ANSWERS.get(message["method"])}
            sys.stdout.buffer.write(frame(answer))
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
