"""The local engine on the command line: preparing it before it is used, and describing it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from qwen_ls.backend.base import NotReadyError
from qwen_ls.backend.download import length
from qwen_ls.local import engine as engines
from qwen_ls.local import weights
from qwen_ls.local.errors import require_extra
from qwen_ls.local.lease import acquire, running
from qwen_ls.local.paths import MODEL_ENV, log_path, models_dir, named_model
from qwen_ls.local.sources import OFFICIAL_SOURCES
from qwen_ls.local.weights import MODEL, megabytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rich.console import Console

    from qwen_ls.local.sources import Source
    from qwen_ls.local.weights import Model, Progress


def prepare(*, ask: bool, yes: bool, console: Console | None = None) -> None:
    """Have the weights here and the engine running, so that a server finds both.

    The engine stays for a few seconds after this returns: start the server in that time.

    Args:
        ask: whether someone is there to be asked before a download.
        yes: whether a download was agreed to beforehand.
        console: where progress is shown; by default stderr.

    Raises:
        BackendError: what is missing, and what to do about it.
    """
    require_extra()
    from rich.console import Console

    console = console or Console(stderr=True)
    path = fetch(ask=ask, yes=yes, console=console)
    if console.is_terminal:
        with console.status("Starting the local engine …") as status:
            acquire(path, lambda text: status.update(f"{text[0].upper()}{text[1:]} …")).close()
    else:
        console.print("Starting the local engine.")
        acquire(path).close()


def fetch(
    *,
    ask: bool,
    yes: bool,
    console: Console,
    model: Model = MODEL,
    sources: Sequence[Source] = OFFICIAL_SOURCES,
) -> Path:
    """The weights, downloaded if they are missing and nobody objects.

    Raises:
        NotReadyError: the download was declined or interrupted.
        BackendError: the weights cannot be had.
    """

    def note(text: str) -> None:
        console.print(text, style="yellow", markup=False, highlight=False)

    if (path := weights.find(model, note=note)) is not None:
        return path
    here = length(weights.part_path(model))
    kept = f" ({megabytes(here)} of them are here already)" if here else ""
    console.print(
        f"The local model {model.name} (Apache-2.0) has to be downloaded first: "
        f"{megabytes(model.size)}{kept}, to {models_dir()}.",
        markup=False,
        highlight=False,
    )
    if (
        ask
        and not yes
        and console.input("Download it now? [y/N] ", markup=False).strip().lower() not in {"y", "yes"}
    ):
        raise NotReadyError(
            "The local model was not downloaded",
            remedy=f"Run this again and agree, or let {MODEL_ENV} name the file.",
            cause="local-declined",
        )
    try:
        with _shown(console, model) as progress:
            return weights.ensure(model, sources=sources, on_progress=progress, note=note)
    except KeyboardInterrupt:
        have = megabytes(length(weights.part_path(model)))
        raise NotReadyError(
            f"The download was interrupted; {have} of {megabytes(model.size)} are kept",
            remedy="Run this again to go on from there.",
            cause="local-interrupted",
        ) from None


@contextlib.contextmanager
def _shown(console: Console, model: Model) -> Iterator[Progress]:
    """Show a bar on a terminal, a line at every tenth elsewhere."""
    if not console.is_terminal:
        told = -1

        def tell(done: int, total: int, what: str) -> None:
            nonlocal told
            if (tenth := done * 10 // total) > told:
                told = tenth
                console.print(f"{tenth * 10:3d} % ({what})", markup=False, highlight=False)

        yield tell
        return
    from rich import progress as bars

    columns = (
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(),
        bars.DownloadColumn(),
        bars.TransferSpeedColumn(),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=console) as bar:
        task = bar.add_task("downloading", total=model.size)
        yield lambda done, total, what: bar.update(task, completed=done, total=total, description=what)


def describe() -> dict[str, Any]:
    """What there is of the local engine on this machine, for `doctor`; starts nothing, reads no weights."""
    path = weights.locate()
    kinds = [found.kind for found in engines.available()]
    return {
        "model": MODEL.name,
        "engines": kinds,
        "engine": kinds[0] if kinds else None,
        "weights": str(path) if path else None,
        "weights_named_by": MODEL_ENV if named_model() else None,
        "weights_bytes": length(path) if path else 0,
        "weights_verified": path is not None and weights.is_verified(path),
        "downloaded_bytes": length(weights.part_path()),
        "folder": str(models_dir()),
        "running": running(),
        "log": str(log_path()),
    }
