"""Models as rows of data: strategies, FIM layout, thinking, limits, prices, native path, retirement.

Pure. A row matches a family of ids, snapshots included (`-0919`, `-latest`, `-2025-07-22`, `-us`). The
first row that matches wins; the last row of each group takes any id. The user's rows stand before ours.
Facts: DashScope's model, price, partial-mode, Completions and retirement pages (2025-11 to 2026-10); prices
are those of Beijing, the only ones that were read; the local model was measured.
"""

from __future__ import annotations

import dataclasses
import enum
import re
import types
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qwen_ls.backend.prices import Price, Tier
from qwen_ls.core.types import Layout, SnippetFormat, Strategy

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIM = Strategy.FIM
_PARTIAL = Strategy.PARTIAL

QWEN_STOPS = (
    "<|endoftext|>",
    "<|im_end|>",
    "<|file_sep|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|fim_prefix|>",
    "<|fim_suffix|>",
    "<|fim_middle|>",
    "<|im_start|>",
)
"""The special tokens that end an answer, the most useful first: a provider may take only a few."""


class Thinking(enum.StrEnum):
    """Whether a model thinks before it answers. Partial mode needs a model that does not."""

    NEVER = "never"
    HYBRID = "hybrid"
    """It does unless told not to."""
    ONLY = "only"


class NativePath(enum.StrEnum):
    """Which service of DashScope's native API a model is bound to; the other one refuses it."""

    TEXT = "text"
    MULTIMODAL = "multimodal"

    @property
    def other(self) -> NativePath:
        """The one to try where this one was wrong."""
        return NativePath.TEXT if self is NativePath.MULTIMODAL else NativePath.MULTIMODAL


_NO_PRICES: Mapping[str, Price] = types.MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What is known of a family of models."""

    family: str
    """A regular expression for the whole id, in lower case, without organisation and snapshot."""
    strategies: tuple[Strategy, ...] = (_PARTIAL,)
    """What it can be asked by, the better first."""
    layout: Layout = Layout.PREFIX_SUFFIX_MIDDLE
    snippet_format: SnippetFormat = SnippetFormat.COMMENTS
    """How a FIM prompt with Qwen's tokens shows code from elsewhere."""
    thinking: Thinking = Thinking.NEVER
    context_tokens: int = 32_768
    max_output_tokens: int = 8192
    prompt_cap_tokens: int | None = None
    """The longest prompt worth sending, where that is less than the context."""
    stop: tuple[str, ...] = QWEN_STOPS
    """What ends a FIM answer; chat ends by itself."""
    retired: str = ""
    """The day it was switched off."""
    leaving: str = ""
    """The day it was announced to be switched off; it may still answer."""
    successor: str = ""
    native_path: NativePath = NativePath.TEXT
    vision: bool = False
    """Whether it sees images."""
    prices: Mapping[str, Price] = field(default_factory=lambda: _NO_PRICES)
    """By region; the empty region is for all others."""
    pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", re.compile(self.family))

    def matches(self, model: str) -> bool:
        """Whether the row is about the model of this id."""
        return any(self.pattern.fullmatch(name) for name in (bare(model), family_of(model)))


_SNAPSHOT = re.compile(r"(?:-(?:latest|preview|us|\d{4}-\d{2}-\d{2}|\d{4}(?!\d)))+$")
_GENERAL = r"qwen(?:\d+(?:\.\d+)?)?-(?:max|plus|flash|turbo)"
_SMALL = 131_072
_LARGE = 1_000_000
_MULTIMODAL = NativePath.MULTIMODAL
# The coder models have learned it; whether DashScope lets its tokens through is not documented.
_REPOSITORY = SnippetFormat.REPOSITORY


def _beijing(*tiers: Tier | tuple[float, float], cached_share: float = 1.0) -> Mapping[str, Price]:
    """Prices of Beijing, in yuan for 1,000 tokens: one for all lengths, or by tiers.

    Only the models on DashScope's page "Context cache" have a discount: a budget must not count on another.
    """
    rows = tuple(tier if isinstance(tier, Tier) else Tier(*tier) for tier in tiers)
    return types.MappingProxyType({"beijing": Price(rows, cached_share=cached_share)})


_TURBO_PRICE = _beijing((0.002, 0.006))

HOSTED: tuple[Model, ...] = (
    Model(
        family=r"qwen-coder-turbo",
        strategies=(_FIM, _PARTIAL),
        context_tokens=_SMALL,
        prices=_TURBO_PRICE,
    ),
    Model(family=r"qwen-coder-plus", context_tokens=_SMALL, prices=_beijing((0.0035, 0.007))),
    Model(
        family=r"qwen2\.5-coder-(?:0\.5|1\.5|3)b(?:-instruct)?",
        retired="2026-03-30",
        successor="qwen-coder-plus",
    ),
    # Listed for the Completions API until late 2025; the page now has qwen-coder-turbo alone.
    Model(
        family=r"qwen2\.5-coder-(?:14|32)b(?:-instruct)?",
        strategies=(_PARTIAL, _FIM),
        context_tokens=_SMALL,
        prices=_TURBO_PRICE,
    ),
    Model(
        family=r"qwen2\.5-coder-7b(?:-instruct)?",
        strategies=(_PARTIAL, _FIM),
        context_tokens=_SMALL,
        prices=_beijing((0.001, 0.002)),
    ),
    Model(
        family=r"qwen3-coder-plus",
        context_tokens=_LARGE,
        max_output_tokens=65_536,
        leaving="2026-10-10",
        successor="qwen3-coder-next",
        prices=_beijing(
            Tier(0.004, 0.016, 32_768),
            Tier(0.006, 0.024, _SMALL),
            Tier(0.01, 0.04, 262_144),
            Tier(0.02, 0.2, _LARGE),
            cached_share=0.2,
        ),
    ),
    Model(
        family=r"qwen3-coder-480b-a35b-instruct",
        context_tokens=262_144,
        max_output_tokens=65_536,
        leaving="2026-10-10",
        successor="qwen3-coder-next",
    ),
    Model(
        family=r"qwen3-coder-flash",
        context_tokens=_LARGE,
        max_output_tokens=65_536,
        prices=_beijing(
            Tier(0.001, 0.004, 32_768),
            Tier(0.0015, 0.006, _SMALL),
            Tier(0.0025, 0.01, 262_144),
            Tier(0.005, 0.025, _LARGE),
            cached_share=0.2,
        ),
    ),
    Model(family=r"qwen\d[\d.]*-coder-.*", context_tokens=262_144, max_output_tokens=65_536),
    Model(family=r"qvq(?:-.*)?", thinking=Thinking.ONLY, native_path=_MULTIMODAL, vision=True),
    Model(family=r"qwq(?:-.*)?|deepseek-r1(?:-.*)?|.*-thinking", thinking=Thinking.ONLY),
    Model(
        family=r"qwen-vl-(?:max|plus)",
        retired="2026-07-13",
        successor="qwen3-vl-plus",
        native_path=_MULTIMODAL,
        vision=True,
    ),
    Model(family=r"qwen-max", retired="2026-07-13", successor="qwen3.7-plus"),
    # Announced for the same day, yet still on the partial-mode page of October 2026.
    Model(
        family=r"qwen-turbo",
        thinking=Thinking.HYBRID,
        context_tokens=_SMALL,
        leaving="2026-07-13",
        successor="qwen-flash",
    ),
    Model(
        family=r"qwen3-max",
        thinking=Thinking.HYBRID,
        context_tokens=262_144,
        max_output_tokens=65_536,
        leaving="2026-10-10",
        successor="qwen3.7-plus",
    ),
    # The newer ones see images, and the native API has them on the multimodal path.
    Model(
        family=r"qwen(?:3\.[5-9]|[4-9][\d.]*)-(?:max|plus)",
        thinking=Thinking.HYBRID,
        context_tokens=_LARGE,
        max_output_tokens=65_536,
        native_path=_MULTIMODAL,
        vision=True,
    ),
    Model(family=_GENERAL, thinking=Thinking.HYBRID, context_tokens=_LARGE, max_output_tokens=32_768),
    Model(
        family=r"qwen3-vl-(?:plus|flash)",
        thinking=Thinking.HYBRID,
        context_tokens=262_144,
        max_output_tokens=32_768,
        native_path=_MULTIMODAL,
        vision=True,
    ),
    Model(family=r"qwen[\d.]*-vl-.*-instruct", context_tokens=_SMALL, native_path=_MULTIMODAL, vision=True),
    Model(family=r"qwen3-.*-instruct|qwen2\.5-.*|qwen-math-.*"),
    Model(family=r"qwen\d.*", thinking=Thinking.HYBRID, context_tokens=_SMALL),
    # Unknown: chat is the common ground, and whoever asks for FIM by name may know more than this table.
    Model(family=r".*", strategies=(_PARTIAL, _FIM), context_tokens=_SMALL),
)
"""The models that DashScope hosts."""

_SMALLEST = r".*qwen2\.5-coder-0\.5b.*"

OPEN: tuple[Model, ...] = (
    Model(
        family=_SMALLEST,
        strategies=(_FIM, _PARTIAL),
        layout=Layout.SUFFIX_FIRST,
        snippet_format=_REPOSITORY,
    ),
    Model(
        family=r"(?:qwq|qvq)(?:-.*)?|.*deepseek-r1.*|.*-thinking(?:-.*)?",
        strategies=(_FIM, _PARTIAL),
        thinking=Thinking.ONLY,
    ),
    Model(family=r".*coder.*", strategies=(_FIM, _PARTIAL), snippet_format=_REPOSITORY),
    Model(family=r"qwen3-.*-instruct.*", strategies=(_FIM, _PARTIAL)),
    Model(family=r"qwen3.*", strategies=(_FIM, _PARTIAL), thinking=Thinking.HYBRID),
    Model(family=r".*", strategies=(_FIM, _PARTIAL)),
)
"""Open weights on a server of one's own: any id, and Qwen's FIM tokens."""

LOCAL: tuple[Model, ...] = (
    # Suffix first: 74 against 54 of 100 points of HumanEval-Infilling (Q8), 70 against 57 % of 30 (Q4), also
    # better than line-last in the middle of a line (80 against 72 % of 25); the whole prefix stays cached.
    # Two cores read some 70 tokens a second: a longer prompt would take longer than anybody waits.
    Model(
        family=r".*",
        strategies=(_FIM, _PARTIAL),
        layout=Layout.SUFFIX_FIRST,
        snippet_format=_REPOSITORY,
        context_tokens=4096,
        max_output_tokens=256,
        prompt_cap_tokens=300,
    ),
)
"""The embedded engine."""


def bare(model: str) -> str:
    """A model's id without organisation and case."""
    return model.strip().lower().rpartition("/")[2]


def family_of(model: str) -> str:
    """A model's id without organisation, snapshot and case: `Qwen/Qwen3-8B` is `qwen3-8b`."""
    return _SNAPSHOT.sub("", bare(model))


def find_model(rows: tuple[Model, ...], model: str) -> Model:
    """The first row about the model; every table ends with a row for any id."""
    return next(row for row in rows if row.matches(model))


def with_users_rows(rows: tuple[Model, ...], table: Mapping[str, Mapping[str, Any]]) -> tuple[Model, ...]:
    """A table with the user's own rows before it.

    A row says what differs from what the table already has for the id. Who has a row for a model that we
    know as retired knows better. The longer id stands first: a snapshot's row before its family's.

    Args:
        rows: one of the tables above.
        table: the setting `models`, checked: the fields by snake_case name.
    """
    by_length = sorted(table.items(), key=lambda item: -len(bare(item[0])))
    return (*(_users_row(find_model(rows, name), name, fields) for name, fields in by_length), *rows)


_KINDS = (
    ("layout", Layout),
    ("snippet_format", SnippetFormat),
    ("thinking", Thinking),
    ("native_path", NativePath),
)


def _users_row(known: Model, name: str, fields: Mapping[str, Any]) -> Model:
    values: dict[str, Any] = {"family": re.escape(bare(name)), "retired": "", "leaving": "", **fields}
    if "strategies" in values:
        values["strategies"] = tuple(Strategy(word) for word in values["strategies"])
    for field_name, kind in _KINDS:
        if field_name in values:
            values[field_name] = kind(values[field_name])
    if price := values.pop("price", None):
        tiers = tuple(Tier(**tier) for tier in price["tiers"])
        row = Price(tiers, price["currency"], price["cached_share"])
        values["prices"] = types.MappingProxyType({"": row})
    return dataclasses.replace(known, **values)
