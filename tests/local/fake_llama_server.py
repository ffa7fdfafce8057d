"""Poses as llama-server: understands its arguments, answers `/health`, and dies as `FAKE_ENGINE` says."""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

how = os.environ.get("FAKE_ENGINE", "well")
folder = Path(os.environ["FAKE_ENGINE_FOLDER"])
starts = folder / "starts"
count = len(starts.read_text("utf-8").splitlines()) if starts.exists() else 0
with starts.open("a", encoding="utf-8") as book:
    book.write(json.dumps({"arguments": sys.argv[1:], "key": os.environ.get("LLAMA_API_KEY")}) + "\n")

if how == "dies":
    sys.exit("error: something unheard of")
if how == "port taken once" and count == 0:
    sys.exit("srv start: couldn't bind HTTP server socket, hostname: 127.0.0.1")
if how == "out of memory":
    sys.exit("ggml_aligned_malloc: failed to allocate 2000 MB")
if how == "killed":
    os.kill(os.getpid(), 9)
if how == "illegal":
    os.kill(os.getpid(), 4)

loading = 2


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        global loading  # noqa: PLW0603
        loading -= 1
        self.answer(200 if loading < 0 else 503)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/die":
            os._exit(1)
        right = self.headers["Authorization"] == "Bearer " + os.environ["LLAMA_API_KEY"]
        self.answer(200 if right else 401)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


port = int(sys.argv[sys.argv.index("--port") + 1])
ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
