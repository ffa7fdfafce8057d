"""`qwen-ls try` with the stub for a server: python play_with_stub.py SCRIPT [--plain] [FILE]."""

import sys
from pathlib import Path

from qwen_ls.commands.playground import play
from qwen_ls.commands.playground.opened import open_file, open_sample

script, *words = sys.argv[1:]
files = [word for word in words if not word.startswith("--")]
stub = (sys.executable, str(Path(__file__).parent / "stub_server.py"), script)
sys.exit(play(open_file(files[0]) if files else open_sample(), {}, plain="--plain" in words, command=stub))
