"""A server with a scripted service: what it does is written in the documents.

`python -m tests.lsp.scripted_server [--tcp | --ws]`. The cursor's line, up to the cursor, is the script:
`wait` never ends, `turn` takes a turn of the event loop, `crash` raises, `skip` and `superseded` decline,
anything else completes with `!`.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from typing import Any

from qwen_ls.core.types import Completion, Document, Reason, SelectedCompletion, Skip, TriggerKind
from qwen_ls.lsp import server
from qwen_ls.report import Status
from qwen_ls.settings import Settings


@dataclass
class ScriptedService:
    """Stands in for `CompletionService`; keeps what it was asked."""

    settings: Settings
    notify: Any = None
    on_status: Any = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    running: int = 0
    unwound: int = 0
    calls: list[Any] = field(default_factory=list)
    answer: Completion | Skip | None = None
    counted: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the usage is known."""

    def look_at(self, workspace: object, roots: Any) -> None:
        self.roots = roots

    async def complete(
        self,
        document: Document,
        offset: int,
        trigger: TriggerKind,
        *,
        selected: SelectedCompletion | None = None,
        waited_s: float = 0.0,
    ) -> Completion | Skip:
        script = document.text[:offset].splitlines()[-1] if document.text[:offset].splitlines() else ""
        self.asked.append(
            {
                "script": script,
                "document": document,
                "offset": offset,
                "trigger": trigger,
                "selected": selected,
                "waited_s": waited_s,
            }
        )
        self.running += 1
        try:
            if script == "wait":
                await asyncio.Event().wait()
            if script == "turn":
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            self.unwound += 1
            raise
        finally:
            self.running -= 1
        return self._result(script, offset)

    def _result(self, script: str, offset: int) -> Completion | Skip:
        if script == "crash":
            raise ValueError("the user's own text")
        if script == "skip":
            return Skip(Reason.EMPTY)
        if script == "superseded":
            return Skip(Reason.SUPERSEDED)
        return self.answer or Completion(f"id-{len(self.asked)}", "!", offset, offset, "network")

    async def warm(self) -> None:
        self.calls.append("warm")

    def reconfigure(self, settings: Settings) -> None:
        self.settings = settings
        self.calls.append("reconfigure")

    def forget(self, uri: str) -> None:
        self.calls.append(("forget", uri))

    def accepted(self, completion_id: str) -> None:
        self.calls.append(("accepted", completion_id))

    def dismissed(self, completion_id: str) -> None:
        self.calls.append(("dismissed", completion_id))

    def toggle(self) -> bool:
        return False

    def clear_cache(self) -> None:
        self.calls.append("clear_cache")

    def explain(self) -> dict[str, Any]:
        return {"asked": len(self.asked), "running": self.running, "calls": self.calls}

    async def usage(self) -> dict[str, Any]:
        await self.counted.wait()
        return {"model": "scripted"}

    def status(self) -> Status:
        return Status("ready")

    async def aclose(self) -> None:
        self.calls.append("aclose")


@dataclass(frozen=True)
class Problem:
    text: str


@dataclass(frozen=True)
class Loaded:
    settings: Settings
    problems: tuple[Problem, ...] = ()


def load(*, initialization_options: Any, configuration: Any, workspace: Any) -> Loaded:
    """Settings from the client alone: no file and no environment of the machine is read."""
    merged = {**(initialization_options or {}), **(configuration or {})}
    problems = tuple(Problem(text) for text in merged.pop("problems", ()))
    return Loaded(Settings(**merged), problems)


def make_service(settings: Settings, notify: Any, on_status: Any) -> Any:
    return ScriptedService(settings, notify, on_status)


def create(**options: Any) -> Any:
    return server.create_server(**({"make_service": make_service, "load": load} | options))


if __name__ == "__main__":
    if "--tcp" in sys.argv:
        sys.exit(server.run_tcp("127.0.0.1", 0, create))
    if "--ws" in sys.argv:
        sys.exit(server.run_ws("127.0.0.1", 0, create))
    sys.exit(server.run_stdio(create))
