"""A fake DashScope endpoint: a real HTTP server for tests, benches and editors.

::

    async with FakeDashScope(answer="return 1") as fake:      # or: with FakeDashScope.in_thread() as fake:
        fake.script.append(Reply(fault="quota"))              # the next request fails, later ones do not
        fake.behaviour = Behaviour(stream_semantics="cumulative", sloppy="fences")
        ...                                                   # fake.compat_url, fake.native_url, "sk-test"
        assert fake.requests[-1].prefix.endswith("def f():")
        await fake.requests[-1].cancelled.wait()

It follows notes/dashscope.md §10; token counts are those of a simple tokenizer of its own.
"""

from .behaviour import Behaviour, Reply
from .errors import FAULTS
from .record import Recorded, Signal
from .server import FakeDashScope

__all__ = ["FAULTS", "Behaviour", "FakeDashScope", "Recorded", "Reply", "Signal"]
