"""The hole that the recorded exchanges are about."""

from qwen_ls.core.context import build_context
from qwen_ls.core.types import Document, TriggerKind

BEFORE = "def add(a, b):\n    return "
AFTER = "\n\nprint(add(1, 2))\n"
CONTEXT = build_context(
    Document("untitled:add.py", 0, "python", BEFORE + AFTER), len(BEFORE), TriggerKind.INVOKED
)
