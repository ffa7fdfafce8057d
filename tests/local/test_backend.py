"""LocalBackend: what a request meets while weights and engine are being had, and when the engine dies."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from qwen_ls.backend.base import ConfigurationError, NotReadyError, RequestError, UnreachableError
from qwen_ls.backend.presets import LocalEndpoint
from qwen_ls.core.types import Chunk, CompletionRequest, Prompt, Strategy
from qwen_ls.local import errors, threads
from qwen_ls.local.backend import LocalBackend, Steps
from qwen_ls.local.errors import EngineError, WeightsError
from qwen_ls.settings import Settings

REQUEST = CompletionRequest(model="m", prompt=Prompt(Strategy.FIM, "a", "b", "ab"), max_tokens=4)
WAIT_S = 20


class FakeLease:
    """What `acquire` gives."""

    kind = "fake"

    def __init__(self, port):
        self.endpoint = LocalEndpoint(f"http://127.0.0.1:{port}/v1", "key", "qwen2.5-coder-0.5b-instruct")
        self.closed = False

    def close(self):
        self.closed = True


class FakeHttp:
    """An endpoint that answers with what the script says next: a text, or an error."""

    def __init__(self, endpoint, script):
        self.endpoint = endpoint
        self.script = script
        self.warmed = self.closed = False

    async def stream(self, request):
        for word in self.script.pop(0):
            if isinstance(word, Exception):
                raise word
            yield Chunk(word)

    async def warm(self):
        self.warmed = True

    async def aclose(self):
        self.closed = True


@dataclass
class World:
    """This machine, as far as the backend sees it."""

    weights: Path | None = Path("weights.gguf")
    script: list = field(default_factory=list)
    leases: list[FakeLease] = field(default_factory=list)
    https: list[FakeHttp] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    downloaded: threading.Event = field(default_factory=threading.Event)
    half: threading.Event = field(default_factory=threading.Event)
    loaded: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)
    failure: Exception | None = None

    def find(self, stop):
        return self.weights

    def ensure(self, progress, stop):
        progress(37, 100, "a hub")
        self.half.set()
        while not self.downloaded.wait(0.01):
            if stop.is_set():
                self.stopped.set()
                raise RuntimeError("stopped")
        if self.failure:
            raise self.failure
        self.weights = Path("weights.gguf")
        return self.weights

    def acquire(self, path, tell, stop):
        tell("loading the local model")
        while not self.loaded.wait(0.01):
            if stop.is_set():
                self.stopped.set()
                raise NotReadyError("stopped")
        if self.failure:
            raise self.failure
        self.leases.append(FakeLease(4000 + len(self.leases)))
        return self.leases[-1]

    def make_http(self, endpoint):
        self.https.append(FakeHttp(endpoint, self.script))
        return self.https[-1]


@pytest.fixture
def world():
    """Weights and engine are here, unless a test says otherwise."""
    world = World()
    world.loaded.set()
    return world


@pytest.fixture
async def backend(world):
    """The backend in that world."""
    steps = Steps(world.find, world.ensure, world.acquire)
    backend = LocalBackend(
        Settings(provider="local"),
        world.make_http,
        on_status=world.statuses.append,
        steps=steps,
        patience_s=WAIT_S,
    )
    yield backend
    await backend.aclose()


async def ask(backend):
    return "".join([chunk.text async for chunk in backend.stream(REQUEST)])


async def settled(backend):
    """Wait for the background task of a download."""
    with suppress(Exception):
        await asyncio.wait_for(asyncio.shield(backend._download), WAIT_S)


async def test_the_engine_is_started_once(backend, world):
    """The first request starts it, the next one uses it."""
    world.script = [["a", "b"], ["c"]]
    assert await ask(backend) == "ab"
    assert await ask(backend) == "c"
    assert len(world.leases) == len(world.https) == 1
    assert backend.target.base_url == "http://127.0.0.1:4000/v1"
    assert "loading the local model" in world.statuses
    assert world.statuses[-1] == ""


async def test_requests_at_the_same_time_start_one_engine(backend, world):
    """All of them wait for it."""
    world.script = [["a"], ["b"], ["c"]]
    assert sorted(await asyncio.gather(ask(backend), ask(backend), ask(backend))) == ["a", "b", "c"]
    assert len(world.leases) == 1


async def test_a_download_is_never_waited_for(backend, world):
    """Requests are told how far it is; when it is done, the next one is answered."""
    world.weights, world.script = None, [["a"]]
    with pytest.raises(NotReadyError, match=r"Downloading the local model: 0 % of 491 MB") as caught:
        await ask(backend)
    assert caught.value.cause == "local-download"
    await asyncio.to_thread(world.half.wait, WAIT_S)
    while "37" not in world.statuses[-1]:
        await asyncio.sleep(0.01)
    with pytest.raises(NotReadyError, match="37 %"):
        await ask(backend)
    world.downloaded.set()
    await settled(backend)
    assert await ask(backend) == "a"


async def test_a_failed_download_is_told_and_begun_again(backend, world):
    """The next request hears why, the one after it begins anew."""
    world.weights, world.failure = None, WeightsError("The disk is full")
    world.downloaded.set()
    with pytest.raises(NotReadyError):
        await ask(backend)
    await settled(backend)
    with pytest.raises(WeightsError, match="The disk is full"):
        await ask(backend)
    world.failure, world.script = None, [["a"]]
    with pytest.raises(NotReadyError):
        await ask(backend)
    await settled(backend)
    assert await ask(backend) == "a"


async def test_a_dead_engine_is_replaced_unseen(backend, world):
    """A refused connection before the first word: a new engine answers the same request."""
    world.script = [["a"], [UnreachableError("refused")], ["b"]]
    assert await ask(backend) == "a"
    assert await ask(backend) == "b"
    assert [lease.closed for lease in world.leases] == [True, False]
    assert [http.closed for http in world.https] == [True, False]
    assert backend.target.base_url == "http://127.0.0.1:4001/v1"


async def test_an_engine_that_dies_of_the_request_is_not_fed_again(backend, world):
    """Twice is enough, and the user reads it."""
    world.script = [[UnreachableError("refused")], [UnreachableError("reset")], ["a"]]
    with pytest.raises(EngineError, match=r"lost: reset.*engine\.log"):
        await ask(backend)
    assert await ask(backend) == "a"


async def test_a_text_that_has_begun_is_not_begun_again(backend, world):
    """What was shown cannot be taken back."""
    world.script = [["a", UnreachableError("reset")], ["b"]]
    with pytest.raises(EngineError, match="lost: reset"):
        await ask(backend)
    assert await ask(backend) == "b"


async def test_other_errors_pass(backend, world):
    """A request that the engine refuses does not cost the engine."""
    world.script = [[RequestError("too long")], ["a"]]
    with pytest.raises(RequestError):
        await ask(backend)
    assert await ask(backend) == "a"
    assert len(world.leases) == 1


async def test_an_engine_that_loads_for_long_is_not_waited_for(world):
    """The request ends, the loading goes on, and a later request is answered."""
    world.loaded.clear()
    world.script = [["a"]]
    steps = Steps(world.find, world.ensure, world.acquire)
    backend = LocalBackend(Settings(provider="local"), world.make_http, steps=steps, patience_s=0)
    with pytest.raises(NotReadyError, match="not ready yet"):
        await ask(backend)
    starting = backend._starting
    world.loaded.set()
    await asyncio.wait_for(asyncio.shield(starting), WAIT_S)
    assert await ask(backend) == "a"
    assert len(world.leases) == 1
    await backend.aclose()


async def test_an_engine_that_cannot_start_is_tried_again_later(backend, world):
    """Each request hears why."""
    world.failure = EngineError("out of memory")
    for _ in range(2):
        with pytest.raises(EngineError, match="out of memory"):
            await ask(backend)
    world.failure, world.script = None, [["a"]]
    assert await ask(backend) == "a"


async def test_warming_starts_the_engine_or_says_why_it_cannot(backend, world):
    """Ahead of the first request: the user reads of trouble, or of a download, before it comes."""
    world.failure = EngineError("out of memory")
    with pytest.raises(EngineError):
        await backend.warm()
    world.failure = None
    await backend.warm()
    assert world.https[0].warmed


async def test_closing_gives_everything_back(backend, world):
    """The lease is closed, and with it perhaps the engine."""
    world.script = [["a"]]
    await ask(backend)
    await backend.aclose()
    assert world.leases[0].closed
    assert world.https[0].closed


async def test_closing_ends_a_download(backend, world):
    """It does not keep the process from ending."""
    world.weights = None
    with pytest.raises(NotReadyError):
        await ask(backend)
    assert await asyncio.to_thread(world.half.wait, WAIT_S)
    await backend.aclose()
    assert await asyncio.to_thread(world.stopped.wait, WAIT_S)


async def test_closing_ends_the_waiting_for_an_engine(backend, world):
    """Even in the middle of it."""
    world.loaded.clear()
    waiting = asyncio.create_task(ask(backend))
    while "loading the local model" not in world.statuses:
        await asyncio.sleep(0.01)
    await backend.aclose()
    with pytest.raises(NotReadyError):
        await waiting
    assert await asyncio.to_thread(world.stopped.wait, WAIT_S)


async def test_a_cancelled_request_leaves_the_engine_to_the_others(backend, world):
    """Only the waiting ends."""
    world.loaded.clear()
    world.script = [["a"]]
    first, second = asyncio.create_task(ask(backend)), asyncio.create_task(ask(backend))
    while "loading the local model" not in world.statuses:
        await asyncio.sleep(0.01)
    first.cancel()
    world.loaded.set()
    assert await second == "a"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_result_that_nobody_waits_for_is_discarded():
    """A lease that comes too late is closed."""
    ready, discarded = threading.Event(), asyncio.Event()

    def work(stop):
        ready.wait(WAIT_S)
        return "late"

    task = asyncio.create_task(threads.run_blocking(work, discard=lambda result: discarded.set()))
    await asyncio.sleep(0)
    task.cancel()
    ready.set()
    await asyncio.wait_for(discarded.wait(), WAIT_S)


def test_without_the_extra_the_user_reads_what_to_install(monkeypatch):
    """One command mends it."""
    monkeypatch.setattr(errors.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'qwen-ls\[local\]'"):
        errors.require_extra()
