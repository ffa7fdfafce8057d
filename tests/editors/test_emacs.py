"""Emacs, the real one: the package with Eglot, Eglot alone, and lsp-mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.editors.emacs_driver import Emacs, EmacsAlone, LspMode
from tests.editors.playing import play, playable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.editors.scenarios import Scenario
    from tests.editors.stage import Stage

pytestmark = pytest.mark.editors

EDITOR = "emacs-30.2"


@pytest.mark.parametrize("scenario", playable(Emacs))
def test_emacs(scenario: Scenario, installed: Callable[[str], Path], stage: Callable[[str], Stage]) -> None:
    folder = installed(EDITOR)
    play(scenario, stage(EDITOR), lambda stage: Emacs(stage, folder))


@pytest.mark.parametrize("scenario", playable(EmacsAlone))
def test_eglot_alone(
    scenario: Scenario, installed: Callable[[str], Path], stage: Callable[[str], Stage]
) -> None:
    folder = installed(EDITOR)
    play(scenario, stage(EDITOR), lambda stage: EmacsAlone(stage, folder))


@pytest.mark.parametrize("scenario", playable(LspMode))
def test_lsp_mode(
    scenario: Scenario, installed: Callable[[str], Path], stage: Callable[[str], Stage]
) -> None:
    folder = installed(EDITOR)
    play(scenario, stage(EDITOR), lambda stage: LspMode(stage, folder))
