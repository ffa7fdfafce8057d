"""Playing a scenario: the steps on a driver, the fake endpoint beside it, and the file's bytes at the end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.editors import scenarios as said
from tests.editors.scenarios import SCENARIOS, Driver, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.editors.stage import Stage

QUIET_S = 0.6
"""How long nothing must happen to have not happened: the editor's wait, the server's, the answer."""


def playable(driver: type[Driver]) -> list[Any]:
    """The scenarios that this editor has everything for, as `pytest.param`s, changed where it differs."""
    return [
        pytest.param(replace(scenario, **driver.changed.get(scenario.name, {})), id=scenario.name)
        for scenario in SCENARIOS
        if scenario.name not in driver.lacks
        and not any(type(step) in driver.lacks for step in scenario.steps)
    ]


def play(scenario: Scenario, stage: Stage, start: Callable[[Stage], Driver]) -> None:
    """Play it in an editor of its own."""
    with stage.set_for(scenario):
        driver = start(stage)
        try:
            driver.open(stage.file, *scenario.cursor)
            player = Player(driver, stage)
            for step in scenario.steps:
                player.take(step)
            driver.save()
        finally:
            stage.screen(driver, "end")
            driver.quit()
    saved = stage.file.read_bytes()
    assert saved == scenario.saved, f"the file has {saved!r}"
    if scenario.accepted is not None:
        assert stage.count("accepted") == scenario.accepted


class Player:
    """Takes the steps of one scenario."""

    def __init__(self, driver: Driver, stage: Stage) -> None:
        self.driver, self.stage = driver, stage
        self._calls = stage.n_calls

    def take(self, step: said.Step) -> None:
        """Do it, or see it."""
        driver = self.driver
        match step:
            case said.Type(keys):
                self._type(keys, calls=step.calls)
            case said.See(ghost, row):
                self._see(ghost, row)
            case said.SeeNothing():
                driver.wait(lambda: driver.ghost_on_screen() == "")
                driver.rest(QUIET_S)
                assert driver.ghost_on_screen() == ""
            case said.Called():
                driver.wait(lambda: self.stage.n_calls > self._calls)
            case said.Told(words):
                driver.wait(driver.messages)
                (message,) = driver.messages()
                assert [word for word in words if word not in message] == [], message
            case said.Change(settings):
                driver.change_settings(settings)
            case _:
                PLAIN[type(step)](driver)

    def _type(self, keys: str, *, calls: bool) -> None:
        self._calls = self.stage.n_calls
        self.driver.type(keys)
        if not calls:
            self.driver.rest(QUIET_S)
            assert self.stage.n_calls == self._calls, "typing through a suggestion made a call"

    def _see(self, ghost: str, row: str) -> None:
        driver = self.driver
        driver.wait(lambda: driver.ghost_on_screen() == ghost)
        self.stage.screen(driver)
        if row:
            assert row in driver.text_on_screen()


PLAIN: dict[type[Any], Callable[[Driver], None]] = {
    said.Accept: lambda driver: driver.accept(),
    said.AcceptWord: lambda driver: driver.accept_word(),
    said.AcceptLine: lambda driver: driver.accept_line(),
    said.Dismiss: lambda driver: driver.dismiss(),
    said.Undo: lambda driver: driver.undo(),
    said.Kill: lambda driver: driver.kill_server(),
    said.Toggle: lambda driver: driver.toggle(),
}
