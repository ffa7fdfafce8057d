"""The ways in which the settings' endpoint and model can be asked to fill a hole. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from qwen_ls.backend.base import ConfigurationError
from qwen_ls.backend.fim import choose_fim
from qwen_ls.backend.forms import SuffixIn
from qwen_ls.backend.plan import resolve
from qwen_ls.core.templates import QWEN
from qwen_ls.core.types import Layout, Strategy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwen_ls.backend.forms import Form
    from qwen_ls.backend.plan import Target
    from qwen_ls.settings import Settings

_NAMES = {SuffixIn.PARAMETER: "suffix", SuffixIn.INFILL: "infill"}


@dataclass(frozen=True, slots=True)
class Way:
    """One way of asking."""

    name: str
    """A layout's, `suffix`, `infill`, `partial`, or a template's."""
    target: Target
    row: dict[str, Any] | None = field(default_factory=dict)
    """What the model's row in the setting `models` says to have it; None where no row can."""

    @property
    def is_documented(self) -> bool:
        """Whether the vendor says that it works: of the layouts, DashScope documents one."""
        is_fim = self.target.strategy is Strategy.FIM
        documented = self.target.layout is Layout.PREFIX_SUFFIX_MIDDLE
        return documented or not (is_fim and self.target.provider.regions)

    def is_that_of(self, target: Target) -> bool:
        """Whether the target is asked so."""
        mine = self.target
        same = (mine.strategy, mine.form.url("")) == (target.strategy, target.form.url(""))
        return same and (mine.template is not QWEN or mine.layout is target.layout)


def ways(settings: Settings) -> tuple[Way, ...]:
    """All ways that the provider has for the model, fill-in-the-middle first.

    Raises:
        ConfigurationError: no call can work.
    """
    in_force = resolve(settings)
    found = [*_fim(settings), *_partial(settings)]
    return tuple(_with_strategy(way, in_force) for way in found)


def _fim(settings: Settings) -> Iterator[Way]:
    target = _resolved(settings, Strategy.FIM)
    if target is None:
        return
    template = target.template or choose_fim(settings, target.provider, target.model)[0]
    for form in target.provider.fim:
        if form.suffix_in is not SuffixIn.PROMPT:
            row: dict[str, Any] | None = {} if form is target.form else None
            yield Way(_NAMES[form.suffix_in], replace(target, form=form, template=None), row)
        elif template is QWEN:
            yield from _layouts(target, form)
        elif template is not None:
            yield Way(template.name, replace(target, form=form, template=template))


def _layouts(target: Target, form: Form) -> Iterator[Way]:
    for layout in Layout:
        laid_out = replace(target.row, layout=layout)
        row = {"layout": layout.value}
        yield Way(layout.value, replace(target, form=form, template=QWEN, row=laid_out), row)


def _partial(settings: Settings) -> Iterator[Way]:
    if target := _resolved(settings, Strategy.PARTIAL):
        yield Way("partial", target)


def _with_strategy(way: Way, in_force: Target) -> Way:
    """The way with a row that also puts its strategy first, where that is not in force."""
    strategy = way.target.strategy
    if way.row is None or strategy is in_force.strategy:
        return way
    others = [one.value for one in Strategy if one is not strategy]
    return replace(way, row={"strategies": [strategy.value, *others], **way.row})


def _resolved(settings: Settings, strategy: Strategy) -> Target | None:
    """The target of a strategy; None where it is not offered for the model or at this place."""
    try:
        return resolve(replace(settings, strategy=strategy.value))
    except ConfigurationError:
        return None
