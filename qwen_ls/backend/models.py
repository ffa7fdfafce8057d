"""Models as rows of data: strategies, FIM layout, thinking, limits, retirement.

Pure. A row matches a family of ids, snapshots included (`-0919`, `-latest`, `-2025-07-22`, `-us`). The
first row that matches wins; the last row of each group takes any id. Facts: DashScope's model,
partial-mode, Completions and retirement pages (2025-11 to 2026-10); the local model was measured.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field

from qwen_ls.core.types import Layout, Strategy

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What is known of a family of models."""

    family: str
    """A regular expression for the whole id, in lower case, without organisation and snapshot."""
    strategies: tuple[Strategy, ...] = (_PARTIAL,)
    """What it can be asked by, the better first."""
    layout: Layout = Layout.PREFIX_SUFFIX_MIDDLE
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
    pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", re.compile(self.family))

    def matches(self, model: str) -> bool:
        """Whether the row is about the model of this id."""
        return self.pattern.fullmatch(family_of(model)) is not None


_SNAPSHOT = re.compile(r"(?:-(?:latest|preview|us|\d{4}-\d{2}-\d{2}|\d{4}(?!\d)))+$")
_GENERAL = r"qwen(?:\d+(?:\.\d+)?)?-(?:max|plus|flash|turbo)"
_SMALL = 131_072
_LARGE = 1_000_000

HOSTED: tuple[Model, ...] = (
    Model(
        family=r"qwen-coder-turbo",
        strategies=(_FIM, _PARTIAL),
        context_tokens=_SMALL,
    ),
    Model(family=r"qwen-coder-plus", context_tokens=_SMALL),
    Model(
        family=r"qwen2\.5-coder-(?:0\.5|1\.5|3)b(?:-instruct)?",
        retired="2026-03-30",
        successor="qwen-coder-plus",
    ),
    # Listed for the Completions API until late 2025; the page now has qwen-coder-turbo alone.
    Model(
        family=r"qwen2\.5-coder-(?:7|14|32)b(?:-instruct)?",
        strategies=(_PARTIAL, _FIM),
        context_tokens=_SMALL,
    ),
    Model(
        family=r"qwen3-coder-(?:plus|480b-a35b-instruct)",
        context_tokens=_LARGE,
        max_output_tokens=65_536,
        leaving="2026-10-10",
        successor="qwen3-coder-next",
    ),
    Model(family=r"qwen3-coder-flash", context_tokens=_LARGE, max_output_tokens=65_536),
    Model(family=r"qwen\d[\d.]*-coder-.*", context_tokens=262_144, max_output_tokens=65_536),
    Model(family=r"(?:qwq|qvq)(?:-.*)?|deepseek-r1(?:-.*)?|.*-thinking", thinking=Thinking.ONLY),
    Model(family=r"qwen-vl-(?:max|plus)", retired="2026-07-13", successor="qwen3-vl-plus"),
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
    Model(family=_GENERAL, thinking=Thinking.HYBRID, context_tokens=_LARGE, max_output_tokens=32_768),
    Model(family=r"qwen3-vl-(?:plus|flash)", thinking=Thinking.HYBRID, context_tokens=262_144),
    Model(family=r"qwen3-.*-instruct|qwen2\.5-.*|qwen-math-.*"),
    Model(family=r"qwen\d.*", thinking=Thinking.HYBRID, context_tokens=_SMALL),
    # Unknown: chat is the common ground, and whoever asks for FIM by name may know more than this table.
    Model(family=r".*", strategies=(_PARTIAL, _FIM), context_tokens=_SMALL),
)
"""The models that DashScope hosts."""

_SMALLEST = r".*qwen2\.5-coder-0\.5b.*"

OPEN: tuple[Model, ...] = (
    Model(family=_SMALLEST, strategies=(_FIM, _PARTIAL), layout=Layout.SUFFIX_FIRST),
    Model(
        family=r"(?:qwq|qvq)(?:-.*)?|.*deepseek-r1.*|.*-thinking(?:-.*)?",
        strategies=(_FIM, _PARTIAL),
        thinking=Thinking.ONLY,
    ),
    Model(family=r".*coder.*", strategies=(_FIM, _PARTIAL)),
    Model(family=r"qwen3-.*-instruct.*", strategies=(_FIM, _PARTIAL)),
    Model(family=r"qwen3.*", strategies=(_FIM, _PARTIAL), thinking=Thinking.HYBRID),
    Model(family=r".*", strategies=(_FIM, _PARTIAL)),
)
"""Open weights on a server of one's own: any id, and Qwen's FIM tokens."""

LOCAL: tuple[Model, ...] = (
    # Suffix first: 74 against 54 of 100 points of HumanEval-Infilling, and the whole prefix stays cached.
    # Two cores read some 70 tokens a second: a longer prompt would take longer than anybody waits.
    Model(
        family=r".*",
        strategies=(_FIM, _PARTIAL),
        layout=Layout.SUFFIX_FIRST,
        context_tokens=4096,
        max_output_tokens=256,
        prompt_cap_tokens=300,
    ),
)
"""The embedded engine."""


def family_of(model: str) -> str:
    """A model's id without organisation, snapshot and case: `Qwen/Qwen3-8B` is `qwen3-8b`."""
    return _SNAPSHOT.sub("", model.strip().lower().rpartition("/")[2])


def find_model(rows: tuple[Model, ...], model: str) -> Model:
    """The first row about the model; every table ends with a row for any id."""
    return next(row for row in rows if row.matches(model))
