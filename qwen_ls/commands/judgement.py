"""From what was seen in the live calls to findings. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ls.backend.forms import SuffixIn
from qwen_ls.backend.wire.semantics import Semantics
from qwen_ls.commands import EXIT_ENDPOINT
from qwen_ls.commands.findings import Finding, Mark, failure
from qwen_ls.commands.live import SUFFIX_AFTER, SUFFIX_BEFORE, SUFFIX_NAME
from qwen_ls.core.budget import estimate_tokens
from qwen_ls.core.templates import FRAGMENTS
from qwen_ls.core.types import Strategy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwen_ls.backend.plan import Target
    from qwen_ls.commands.calls import Call
    from qwen_ls.commands.live import LiveTest
    from qwen_ls.settings import Settings

SLOW_MS = 1500.0
"""A first token after this comes when the user has typed on."""
_THOUGHTS = ("<think", "</think", "<|channel|>analysis")
_STREAMS = {Semantics.DELTA: "each holds new text", Semantics.CUMULATIVE: "each holds all the text so far"}


def judge(test: LiveTest, target: Target, settings: Settings, known: Semantics | None) -> Iterator[Finding]:
    """The findings, in the order of the calls.

    Args:
        test: what was seen.
        target: whom was asked.
        settings: the settings in force.
        known: what the calls showed of the stream's form, if anything.
    """
    if test.error is not None:
        yield failure("call", test.error)
        return
    hole = test.hole
    if hole.refused is not None:
        said = f"{hole.refused.message.rstrip('.')}; partial mode answers instead"
        yield Finding(Mark.DOUBTFUL, "strategy", said, "Set strategy to partial to skip the attempt.")
    if hole.first_token_ms is None:
        yield _nothing(hole)
        return
    tokens = f", {hole.usage.prompt_tokens} + {hole.usage.completion_tokens} tokens" if hole.usage else ""
    seen = f"first token after {hole.first_token_ms:.0f} ms, the answer after {hole.total_ms:.0f} ms{tokens}"
    yield Finding(Mark.GOOD, "call", seen)
    yield _answer(test, target)
    yield _tidiness(test)
    if test.suffix is not None:
        yield _suffix(test.suffix, target)
    yield _streaming(test, target, settings, known)
    yield _speed(test)
    if test.repeat is not None:
        yield _cache(test.repeat, test.long)


def spent(test: LiveTest) -> Finding:
    """What the calls cost."""
    about = "about " if any(call.usage is None and call.tokens for call in test.calls) else ""
    total = sum(call.tokens for call in test.calls)
    n_calls = sum(call.n_asked for call in test.calls)
    calls = "1 call" if n_calls == 1 else f"{n_calls} calls"
    return Finding(Mark.GOOD, "spent", f"{about}{total} tokens in {calls}")


def _nothing(hole: Call) -> Finding:
    if hole.usage and hole.usage.completion_tokens > 1:
        seen = (
            f"the model wrote {hole.usage.completion_tokens} tokens and none of them is an answer: it thinks"
        )
        remedy = "Set model to one that answers without thinking, or switch thinking off with extraBody."
        return Finding(Mark.BAD, "call", seen, remedy, EXIT_ENDPOINT)
    remedy = "Try another model or strategy."
    return Finding(Mark.BAD, "call", "the model answered with nothing", remedy, EXIT_ENDPOINT)


def _answer(test: LiveTest, target: Target) -> Finding:
    if test.makes_sense:
        return Finding(Mark.GOOD, "answer", f"{test.shown} fits into the hole")
    if target.template is not None and any(word in test.hole.text for word in FRAGMENTS):
        seen = f"the answer holds pieces of the prompt's own tokens: {target.model} does not know them"
        remedy = "Set fimTemplate to the family that the model belongs to, or strategy to partial."
        return Finding(Mark.BAD, "answer", seen, remedy, EXIT_ENDPOINT)
    remedy = "Try another model or strategy; a model that was not made for code guesses."
    if target.template is not None:
        remedy += f" The prompt had the tokens of {target.template.name}: see fimTemplate."
    return Finding(Mark.DOUBTFUL, "answer", f"{test.shown} came where {test.expected} was expected", remedy)


def _tidiness(test: LiveTest) -> Finding:
    texts = [call.text for call in test.calls]
    if any(word in text for text in texts for word in _THOUGHTS):
        remedy = "Set model to one that answers without thinking, or switch thinking off with extraBody."
        return Finding(Mark.DOUBTFUL, "tidiness", "the model thinks aloud before it answers", remedy)
    if any("```" in text for text in texts):
        remedy = "They are taken off; fill-in-the-middle, or a model made for code, does without."
        return Finding(Mark.DOUBTFUL, "tidiness", "answers come in code fences", remedy)
    return Finding(Mark.GOOD, "tidiness", "no code fences and no thinking in the answers")


def _suffix(call: Call, target: Target) -> Finding:
    if call.error is not None:
        return failure("suffix", call.error)
    if SUFFIX_NAME in call.text:
        return Finding(Mark.GOOD, "suffix", "the answer uses a name that stands only after the cursor")
    outside = target.strategy is Strategy.FIM and target.form.suffix_in is not SuffixIn.PROMPT
    least = estimate_tokens(SUFFIX_BEFORE) + 0.4 * estimate_tokens(SUFFIX_AFTER)
    if outside and call.usage and 0 < call.usage.prompt_tokens < least:
        seen = f"the code after the cursor is ignored: the prompt had {call.usage.prompt_tokens} tokens only"
        remedy = (
            "Set provider to what this server is, or fimTemplate to the model's family; else strategy to "
        )
        return Finding(Mark.BAD, "suffix", seen, remedy + "partial.", EXIT_ENDPOINT)
    remedy = "Suggestions may repeat what follows; try another model or strategy."
    return Finding(Mark.DOUBTFUL, "suffix", "the answer ignores the code after the cursor", remedy)


def _streaming(test: LiveTest, target: Target, settings: Settings, known: Semantics | None) -> Finding:
    longest = test.long if test.long is not None and test.long.n_chunks else test.hole
    if not longest.streamed:
        return Finding(
            Mark.DOUBTFUL, "streaming", "switched off", "Set streaming to auto: answers end sooner."
        )
    pieces = "1 piece" if longest.n_chunks == 1 else f"{longest.n_chunks} pieces"
    seen = f"the answer came in {pieces}"
    if settings.streaming != "auto":
        return Finding(Mark.GOOD, "streaming", f"{seen}; taken as {settings.streaming}, as set")
    if known is not None:
        return Finding(Mark.GOOD, "streaming", f"{seen}; {_STREAMS[known]} (saved for streaming: auto)")
    if target.provider.delta_streams:
        return Finding(Mark.GOOD, "streaming", f"{seen}; each holds new text, as always here")
    return Finding(
        Mark.GOOD, "streaming", f"{seen}; too few to tell what each holds, so each answer is watched"
    )


def _speed(test: LiveTest) -> Finding:
    first_ms = test.hole.first_token_ms or 0.0
    seen = f"{first_ms:.0f} ms to the first token"
    if test.long is not None and (rate := test.long.tokens_a_second):
        seen += f", then {rate:.0f} tokens a second"
    if first_ms > SLOW_MS:
        remedy = "Suggestions come late: try a smaller model, a nearer region, or fewer promptTokens."
        return Finding(Mark.DOUBTFUL, "speed", f"slow: {seen}", remedy)
    return Finding(Mark.GOOD, "speed", seen)


def _cache(repeat: Call, first: Call | None) -> Finding:
    if repeat.error is not None:
        return failure("cache", repeat.error)
    if repeat.usage and repeat.usage.cached_tokens:
        cached, read = repeat.usage.cached_tokens, repeat.usage.prompt_tokens
        seen = f"{cached} of {read} tokens ({cached / max(read, 1):.0%}) of a repeated prompt"
        return Finding(Mark.GOOD, "cache", f"{seen} came from the cache")
    seen = "no tokens of a repeated prompt were reported as cached"
    if repeat.first_token_ms is not None and first is not None and first.first_token_ms is not None:
        seen += f" ({repeat.first_token_ms:.0f} ms to its first token, {first.first_token_ms:.0f} ms before)"
    return Finding(Mark.GOOD, "cache", seen)
