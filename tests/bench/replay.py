"""`python -m tests.bench replay`: a typist's day with qwen-ls, beside the same day with a naive server.

In virtual time with a simulated endpoint, both servers in one run; with `--real`, in real time with the real
local model.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from qwen_ls.backend.base import Backend
from qwen_ls.backend.plan import resolve
from qwen_ls.commands import preparation
from qwen_ls.commands.bench import passage, virtual_time
from qwen_ls.commands.bench.figures import Tally, ratios, summed_up, table
from qwen_ls.commands.bench.meter import MeteredBackend
from qwen_ls.commands.bench.passage import Passage
from qwen_ls.commands.bench.replay import NEOVIM, VSCODE, Client, Replay
from qwen_ls.commands.bench.simulated import Manner, SimulatedEndpoint
from qwen_ls.service import CompletionService
from qwen_ls.settings import Settings
from tests.bench.naive import NaiveServer

FILES = Path(__file__).parent / "replay_files"
MODULES = ("textwrap", "heapq", "shlex")
NAMES = ("naive", "qwen-ls")
CLIENTS = {"vscode": VSCODE, "neovim": NEOVIM}
SIZES = {(False, False): 2500, (False, True): 600, (True, False): 400, (True, True): 120}
"""How many characters of each passage are typed; by whether it is real, and quick."""

Connect = Callable[[Settings, Passage], Backend]


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything but the server and the text."""

    settings: Settings = field(default_factory=Settings)
    client: Client = VSCODE
    seed: int = 0
    manner: Manner = field(default_factory=Manner)
    """How the simulated endpoint answers."""
    real: Connect | None = None
    """Connects to another one."""

    def connect(self, settings: Settings, typed: Passage) -> Backend:
        """The endpoint, new for each passage and server."""
        if self.real:
            return self.real(settings, typed)
        return SimulatedEndpoint(resolve(settings), typed, manner=self.manner, seed=self.seed)


def passages(n_characters: int, seed: int = 0) -> dict[str, list[Passage]]:
    """What is typed, by language: so many characters of each file."""
    found = {"python": [passage.of_module(name, n_characters=n_characters, seed=seed) for name in MODULES]}
    for file in sorted(FILES.iterdir()):
        found[file.stem] = [passage.of_file(str(file), n_characters=n_characters, seed=seed)]
    return found


async def type_for(name: str, typed: Passage, tally: Tally, setup: Setup) -> None:
    """Type one passage with one server, as new."""

    def metered(wanted: Settings) -> Backend:
        return MeteredBackend(setup.connect(wanted, typed), tally.traffic)

    server: Any = None
    if name == "naive":
        server = NaiveServer(setup.settings, metered(setup.settings))
    else:
        clock = asyncio.get_running_loop().time
        server = CompletionService(setup.settings, connect=metered, clock=clock, random=lambda: 0.5)
        await server.warm()  # in a thread, while no timer runs
    try:
        await Replay(server, typed, tally, client=setup.client, seed=setup.seed).run()
    finally:
        await server.aclose()


def compare(
    texts: Sequence[Passage], setup: Setup | None = None, *, run: Callable[..., Any] = virtual_time.run
) -> dict[str, Tally]:
    """Type all passages with each server, in turn."""
    tallies = {name: Tally() for name in NAMES}
    for typed in texts:
        for name, tally in tallies.items():
            run(type_for(name, typed, tally, setup or Setup()))
    return tallies


def figures(tallies: dict[str, Tally]) -> dict[str, dict[str, Any]]:
    """The figures by server."""
    return {name: summed_up(tally) for name, tally in tallies.items()}


def added_up(tallies: Iterable[dict[str, Tally]]) -> dict[str, Tally]:
    """All that was typed, as one."""
    total = {name: Tally() for name in NAMES}
    for by_name in tallies:
        for name, tally in by_name.items():
            total[name].add(tally)
    return total


def local(settings: Settings, typed: Passage) -> Backend:
    """The real model on this machine."""
    from qwen_ls.backend.connect import connect

    return connect(settings)


def main(*, quick: bool, seed: int, real: bool, client: str) -> dict[str, Any]:
    """Type every passage with both servers, print the table, and return all figures."""
    texts = passages(SIZES[real, quick], seed)
    setup, run = Setup(client=CLIENTS[client], seed=seed), virtual_time.run
    if real:
        texts = {language: several[:1] for language, several in texts.items()}
        setup = replace(setup, settings=Settings(provider="local"), real=local)
        run = asyncio.run
        preparation.get_local_ready(setup.settings, yes=True)
    tallies = {language: compare(several, setup, run=run) for language, several in texts.items()}
    total = figures(added_up(tallies.values()))
    how = "the real local model" if real else f"{setup.manner}"
    print(f"replay of {', '.join(texts)}; {client}; seed {seed}; {how}")
    print(table(total, base=NAMES[0]))
    by_language = {language: figures(several) for language, several in tallies.items()}
    return {
        "seed": seed,
        "total": total | {"ratios": ratios(total["qwen-ls"], total["naive"])},
        "by_language": by_language,
    }
