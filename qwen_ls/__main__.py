"""`python -m qwen_ls` is `qwen-ls`."""

import sys

from qwen_ls.cli import main

if __name__ == "__main__":
    sys.exit(main())
