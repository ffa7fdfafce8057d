"""How model families are asked to fill in the middle, as rows of data.

Pure. A model that is asked with another family's tokens reads them as text and answers with rubbish: a
family without a row is not asked this way at all. Sources: the model cards on Hugging Face (Qwen2.5-Coder,
CodeGemma, StarCoder2, Stable Code, CodeLlama, DeepSeek-Coder), mistral-common for Codestral, and
`continuedev/continue` `core/llm/templates/fim.ts`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_BREAK = "\u200b"


@dataclass(frozen=True, slots=True, kw_only=True)
class FimTemplate:
    """One family's tokens and their order."""

    name: str
    """As the setting `fimTemplate` calls it."""
    family: str
    """A regular expression for the whole id of a model, in lower case and without organisation."""
    pattern: str
    """The prompt, with `{prefix}` and `{suffix}`."""
    tokens: tuple[str, ...]
    """The strings that mean something to the model; in a file they are broken up."""
    stop: tuple[str, ...] = ()
    """What ends an answer, for servers that show special tokens as text."""
    _matcher: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_matcher", re.compile(self.family))

    def matches(self, model: str) -> bool:
        """Whether the model of this id, in lower case and without organisation, is of the family."""
        return self._matcher.fullmatch(model) is not None

    def lay_out(self, prefix: str, suffix: str) -> str:
        """The prompt for a hole; tokens that stand in the text are made plain characters."""
        return self.pattern.format(prefix=self._plain(prefix), suffix=self._plain(suffix))

    def _plain(self, text: str) -> str:
        for token in self.tokens:
            text = text.replace(token, token[0] + _BREAK + token[1:])
        return text


QWEN = FimTemplate(
    name="qwen",
    # The distillations of DeepSeek R1 have Qwen's weights and DeepSeek's tokens.
    family=r"(?!.*deepseek)(?!.*codeqwen).*(?:qwen|qwq|qvq).*",
    pattern="<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>",
    tokens=(),  # `core.tokens` breaks up all of Qwen's
)
TEMPLATES: tuple[FimTemplate, ...] = (
    QWEN,
    FimTemplate(
        name="starcoder",
        family=r".*(?:starcoder|stable-?code|codeqwen|granite.*code|refact).*",
        pattern="<fim_prefix>{prefix}<fim_suffix>{suffix}<fim_middle>",
        tokens=("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
        stop=("<|endoftext|>", "<file_sep>", "<fim_prefix>", "<fim_suffix>"),
    ),
    FimTemplate(
        name="codegemma",
        family=r".*codegemma.*",
        pattern="<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>",
        tokens=("<|file_separator|>",),
        stop=("<|file_separator|>", "<end_of_turn>", "<eos>", "<|fim_prefix|>"),
    ),
    FimTemplate(
        name="codellama",
        # Only these two sizes were trained for it, and not their Python variants.
        family=r"(?!.*python).*code-?llama[-:](?:7|13)b.*",
        pattern="<PRE> {prefix} <SUF>{suffix} <MID>",
        tokens=("<PRE>", "<SUF>", "<MID>", "<EOT>"),
        stop=("<EOT>", "<PRE>", "<SUF>", "<MID>"),
    ),
    FimTemplate(
        name="deepseek",
        family=r".*deepseek-coder.*",
        pattern="<｜fim▁begin｜>{prefix}<｜fim▁hole｜>{suffix}<｜fim▁end｜>",
        tokens=("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>", "<｜end▁of▁sentence｜>"),
        stop=("<｜end▁of▁sentence｜>", "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
    ),
    FimTemplate(
        name="codestral",
        family=r"(?!.*mamba).*codestral.*",
        pattern="[SUFFIX]{suffix}[PREFIX]{prefix}",
        tokens=("[SUFFIX]", "[PREFIX]"),
        stop=("[PREFIX]", "[SUFFIX]", "</s>"),
    ),
)
"""The first family that matches has the say."""

FRAGMENTS = ("fim_", "fim▁", "<PRE>", "<SUF>", "<MID>", "[SUFFIX]", "[PREFIX]")
"""What an answer holds when the model did not know the tokens it was asked with."""


def template_named(name: str) -> FimTemplate | None:
    """The row of this name; None where there is none."""
    return next((row for row in TEMPLATES if row.name == name), None)


def template_of(model: str) -> FimTemplate | None:
    """The row of a model's family; None for a model of unknown family.

    Args:
        model: the id as a server has it: `Qwen/Qwen2.5-Coder-7B`, `starcoder2:3b`, a file's name.
    """
    name = model.strip().lower().rpartition("/")[2]
    return next((row for row in TEMPLATES if row.matches(name)), None)
