"""The admin routes, for users in other processes.

- ``POST /_fake/script``: one reply or a list of them
- ``POST /_fake/behaviour``: an object of changes
- ``POST /_fake/config``: ``{answer, truth, region, keys, rate_limits, retired}``
- ``POST /_fake/reset``, ``/_fake/release``
- ``POST /_fake/refuse``: ``{"ms": 500}``, refuses connections for that long
- ``GET`` or ``POST /_fake/requests``: the records
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import TYPE_CHECKING, Any

from .behaviour import Reply
from .http import Connection, HttpRequest, Responder, dumps

if TYPE_CHECKING:
    from .server import FakeDashScope

CONFIG = ("answer", "truth", "region", "rate_limits")
CONFIG_SETS = ("keys", "retired")


async def handle(fake: FakeDashScope, connection: Connection, request: HttpRequest) -> None:
    """Do what an admin request says; 400 with the reason when it cannot be done."""
    try:
        data = json.loads(request.body) if request.body else {}
        answer, status = await _perform(fake, request.path.removeprefix("/_fake/"), data)
    except (ValueError, TypeError, AttributeError) as exc:
        answer, status = {"error": str(exc)}, 400
    headers = [("Content-Type", "application/json")]
    Responder(connection).send(status, headers, dumps(answer).encode())


async def _perform(fake: FakeDashScope, verb: str, data: Any) -> tuple[Any, int]:
    if verb == "requests":
        return [record.as_json() for record in fake.requests], 200
    if verb == "script":
        fake.script.extend([Reply.from_json(item) for item in (data if isinstance(data, list) else [data])])
    elif verb == "behaviour":
        fake.behaviour = dataclasses.replace(fake.behaviour, **data)
    elif verb == "config":
        _configure(fake, data)
    elif verb == "reset":
        fake.reset()
    elif verb == "release":
        fake.release()
    elif verb == "refuse":
        loop = asyncio.get_running_loop()
        loop.call_later(0.01, fake.refuse)
        loop.call_later(0.01 + float(data.get("ms", 500)) / 1000, fake.accept)
    else:
        return {"error": f"no admin route {verb}"}, 404
    return {"ok": True}, 200


def _configure(fake: FakeDashScope, data: dict[str, Any]) -> None:
    for key, value in data.items():
        if key in CONFIG:
            setattr(fake, key, value)
        elif key in CONFIG_SETS:
            setattr(fake, key, set(value))
        else:
            raise ValueError(f"unknown setting: {key}")
