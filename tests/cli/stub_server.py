"""A stand-in for the server: an LSP server that suggests what a script says.

    python stub_server.py '{"def f(": "x):\\n    return x", ...}'

The script maps the end of the text before the cursor to what is suggested there. As the real one, it answers
type-through from what it suggested last, `null` to what is superseded, and explains itself. Words with a
meaning of their own: `!error TEXT` shows a message and suggests nothing, `!die` ends the process, `!keep`
answers `null`, `!replace N TEXT` suggests TEXT in place of the N characters behind the cursor.
"""

import json
import os
import sys
import time
from pathlib import Path

SCRIPT = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
LOG = os.environ.get("STUB_LOG")
DELAY_S = float(os.environ.get("STUB_DELAY_S", "0"))


class Stub:
    def __init__(self):
        self.text = ""
        self.explanation = {}
        self.last = None  # (text before the cursor, insertText, how much it replaces)

    def offset(self, position):
        lines = self.text.split("\n")
        return sum(len(line) + 1 for line in lines[: position["line"]]) + position["character"]

    def change(self, params):
        for edit in params["contentChanges"]:
            start, end = self.offset(edit["range"]["start"]), self.offset(edit["range"]["end"])
            self.text = self.text[:start] + edit["text"] + self.text[end:]

    def complete(self, params):
        position = params["position"]
        before = self.text[: self.offset(position)]
        text, source = self.find(before)
        self.explanation = {
            "source": source,
            "strategy": "fim",
            "model": "stub",
            "timings_ms": {"total": 1.5},
        }
        if text is None:
            self.explanation |= {"source": "", "reason": "the script has nothing here"}
            return []
        replaced = 0
        if text.startswith("!"):
            word, _, rest = text.partition(" ")
            if word == "!die":
                print("stub: told to die", file=sys.stderr)
                sys.exit(7)
            if word == "!error":
                send({"method": "window/showMessage", "params": {"type": 1, "message": rest}})
                self.explanation |= {"source": "", "reason": "the endpoint failed"}
                return []
            if word == "!keep":
                return None
            count, _, text = rest.partition(" ")
            replaced = int(count)
        self.explanation["usage"] = {"prompt_tokens": 83, "completion_tokens": 14}
        if source == "network":
            self.last = (before, text, replaced)
        end = {"line": position["line"], "character": position["character"] + replaced}
        return {
            "items": [
                {
                    "insertText": text,
                    "range": {"start": position, "end": end},
                    "command": {"title": "", "command": "qwen-ls.accepted", "arguments": [text]},
                }
            ]
        }

    def find(self, before):
        if self.last is not None:
            old, text, replaced = self.last
            if (old + text).startswith(before) and len(before) > len(old) and before != old + text:
                rest = (old + text)[len(before) :]
                return (f"!replace {replaced} {rest}" if replaced else rest), "type-through"
        for end in sorted(SCRIPT, key=len, reverse=True):
            if before.endswith(end):
                return SCRIPT[end], "network"
        return None, ""


def send(message):
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    sys.stdout.buffer.flush()


def receive():
    length = 0
    while line := sys.stdin.buffer.readline().strip():
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return json.loads(sys.stdin.buffer.read(length)) if length else None


def answer(stub, method, params):
    if method == "initialize":
        return {"capabilities": {"positionEncoding": "utf-32", "inlineCompletionProvider": {}}}
    if method == "textDocument/inlineCompletion":
        time.sleep(DELAY_S)
        return stub.complete(params)
    if method == "workspace/executeCommand" and params["command"] == "qwen-ls.explain":
        return stub.explanation
    return None


def main():
    stub = Stub()
    while (message := receive()) is not None:
        method, params = message.get("method"), message.get("params")
        if LOG:
            with Path(LOG).open("a", encoding="utf-8") as log:
                log.write(json.dumps({"method": method, "params": params}) + "\n")
        if method == "textDocument/didOpen":
            stub.text = params["textDocument"]["text"]
        elif method == "textDocument/didChange":
            stub.change(params)
        elif method == "exit":
            return
        if "id" in message and method is not None:
            send({"id": message["id"], "result": answer(stub, method, params)})


if __name__ == "__main__":
    main()
