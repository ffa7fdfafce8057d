"""Fetching one large file over HTTP, so that nothing that has arrived is fetched twice.

What arrived stays in the part file across failures and processes; the caller checks the hash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwen_ls.backend.base import AnswerError, UnreachableError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    import httpx

_OK = 200
_PARTIAL_CONTENT = 206
_RANGE_NOT_SATISFIABLE = 416


class DownloadStoppedError(Exception):
    """The caller asked for an end; the part file is kept."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a download waits. Times in seconds."""

    connect_s: float = 5.0
    read_s: float = 20.0
    pause_s: float = 1.0
    retries: int = 4
    """How often in a row a connection may break without one new byte."""


def fetch(
    url: str,
    part: Path,
    *,
    size: int,
    report: Callable[[int], None],
    stop: threading.Event,
    patience: Patience = Patience(),
) -> None:
    """Append to `part` until it holds `size` bytes.

    Args:
        url: where the file is; redirects are followed.
        part: what has arrived so far; made if it is not there.
        size: how long the whole file is, in bytes.
        report: called with the length of `part`, often.
        stop: set to end the download soon.
        patience: how long to wait for what.

    Raises:
        UnreachableError: the host cannot be reached, or the connection keeps breaking.
        AnswerError: the host has another file there, or none.
        DownloadStoppedError: `stop` was set.
        OSError: the part file cannot be written.
    """
    import httpx

    timeout = httpx.Timeout(patience.read_s, connect=patience.connect_s)
    reached, idle = False, 0
    with httpx.Client(follow_redirects=True, timeout=timeout) as client:
        while (have := length(part)) != size:
            if stop.is_set():
                raise DownloadStoppedError
            try:
                _continue(client, url, part, have=have, size=size, report=report, stop=stop)
                reason = "the connection ended early"
            except httpx.RequestError as exc:
                reason = str(exc) or type(exc).__name__
                if not reached and isinstance(exc, httpx.ConnectError | httpx.ConnectTimeout):
                    raise UnreachableError(f"{_host(url)} cannot be reached: {reason}") from exc
            reached = True
            idle = 0 if length(part) > have else idle + 1
            if idle > patience.retries:
                raise UnreachableError(f"the connection to {_host(url)} keeps breaking: {reason}")
            if length(part) != size:
                stop.wait(patience.pause_s)


def length(part: Path) -> int:
    """How many bytes have arrived."""
    try:
        return part.stat().st_size
    except FileNotFoundError:
        return 0


def _continue(
    client: httpx.Client,
    url: str,
    part: Path,
    *,
    have: int,
    size: int,
    report: Callable[[int], None],
    stop: threading.Event,
) -> None:
    """One connection: ask for what is missing and write what comes."""
    if have > size:
        part.unlink()
        have = 0
    # Encoded bytes cannot be counted or continued.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with client.stream("GET", url, headers=headers) as response:
        start = _start(response, url, have=have, size=size)
        with part.open("ab" if start else "wb") as file:
            done = start
            report(done)
            # Without a chunk size: chunks of a size lose their beginning when the connection breaks.
            for chunk in response.iter_raw():
                if stop.is_set():
                    raise DownloadStoppedError
                done += len(chunk)
                if done > size:
                    raise AnswerError(f"{_host(url)} sent more than {size} bytes")
                file.write(chunk)
                report(done)


def _start(response: httpx.Response, url: str, *, have: int, size: int) -> int:
    """Where in the file this answer begins: at `have`, or at 0 where the server ignores ranges."""
    status = response.status_code
    if status == _PARTIAL_CONTENT:
        # "bytes 100-199/200"
        span, _, total = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        if span.split("-")[0] == str(have) and total in {str(size), "*"}:
            return have
        raise AnswerError(f"{_host(url)} answered with another part than the one asked for")
    if status == _RANGE_NOT_SATISFIABLE:
        raise AnswerError(f"{_host(url)} holds a shorter file")
    if status != _OK:
        raise AnswerError(f"{_host(url)} answered {status}")
    total = response.headers.get("Content-Length", "")
    if total and total != str(size):
        raise AnswerError(f"{_host(url)} holds {total} bytes there, not {size}")
    return 0


def _host(url: str) -> str:
    import httpx

    return httpx.URL(url).host
