"""One call to the endpoint: from a context to the model's cleaned answer."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from qwen_ls.backend.base import AccessError, AnswerError, BackendError, DeadlineError, ModelError
from qwen_ls.core import postprocess
from qwen_ls.core.images import find_image
from qwen_ls.core.postprocess.hole import Hole
from qwen_ls.core.postprocess.limit import is_broken_off, is_enough, is_looping
from qwen_ls.core.postprocess.whitespace import without_held_back
from qwen_ls.core.prompt import NOTHING, build_prompt, with_image
from qwen_ls.core.text import current_line_before
from qwen_ls.core.types import (
    CompletionContext,
    CompletionRequest,
    Prompt,
    RawCompletion,
    Skip,
    Strategy,
    Surroundings,
    Usage,
)
from qwen_ls.images import load_image
from qwen_ls.related import Gathered
from qwen_ls.report import Level, Notice
from qwen_ls.usage import Received

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qwen_ls.backend.base import Backend
    from qwen_ls.backend.plan import Target
    from qwen_ls.books import Books
    from qwen_ls.core.origin import Origin
    from qwen_ls.core.trigger import Ask
    from qwen_ls.settings import Settings

LEAST_PROMPT_TOKENS = 64
CONTINUATIONS = 2
"""How often an answer that the token limit has cut is continued, at most."""


@dataclass(frozen=True, slots=True)
class Question:
    """What one call is made from."""

    context: CompletionContext
    ask: Ask
    """How much is asked for."""
    settings: Settings
    origin: Origin
    """Hears how it goes."""
    books: Books
    """Grant each call, and hear what it used."""
    roots: tuple[Path, ...] = ()
    """The workspace's folders: an image may come from there."""
    paused: Callable[[], Skip | None] = lambda: None
    """Whether calls have to wait: then none is made."""
    heed: Callable[[BackendError], None] = lambda _: None
    """Hears of a failure that leaves the request its answer."""
    heard: Callable[[str, Hole], None] = lambda text, hole: None
    """Told what has come so far, and what it is cleaned for."""
    read_on: int = 0
    """How many lines are wanted beyond what is shown."""
    image: str | None = None
    gathered: Gathered = field(default_factory=Gathered)
    """Code from elsewhere, and what the document's prompts keep from one to the next."""

    async def seeing(self, target: Target) -> Question:
        """The question with the image at the cursor, where images are on and the model sees."""
        if not (self.settings.images and target.sees and (address := find_image(self.context))):
            return self
        uri, exclude = self.context.document.uri, self.settings.exclude
        image = await asyncio.to_thread(load_image, address, uri, self.roots, exclude)
        self.origin.facts["image"] = "sent" if image else "not sent: no image file of the workspace, no https"
        return replace(self, image=image)

    def request(self, target: Target) -> CompletionRequest:
        """The request for a target: its strategy decides what the prompt looks like."""
        tokens = max(target.prompt_tokens(self.settings), LEAST_PROMPT_TOKENS)
        around = self.gathered.around(self.context, tokens)
        prompt = prompt_for(target, self.context, tokens, around)
        self.gathered.sent(prompt)
        self.origin.prompt = prompt
        self.origin.snippets(around.snippets)
        if self.image and target.sees:
            prompt = with_image(prompt, self.image)
        max_tokens = target.max_tokens(self.ask.max_tokens)
        return build_request(self.settings, target.model, prompt, max_tokens)

    def after(self, text: str) -> Question:
        """The question that is left once the model has said this."""
        prefix = self.context.prefix + text
        context = replace(self.context, prefix=prefix, line_prefix=current_line_before(prefix))
        return replace(self, context=context)


def prompt_for(
    target: Target, context: CompletionContext, tokens: int, around: Surroundings = NOTHING
) -> Prompt:
    """The prompt for a place as its target is asked.

    Args:
        target: what the call goes to.
        context: where the cursor stands.
        tokens: the budget for everything.
        around: code from elsewhere, and what to keep of the last prompt.
    """
    return build_prompt(
        context,
        strategy=target.strategy,
        layout=target.layout,
        template=target.template,
        tokens=tokens,
        stop=target.stop,
        around=around,
        snippet_format=target.row.snippet_format,
        can_begin_with=bool(target.form.grammar),
    )


class PausedError(Exception):
    """A pause has begun before a call left; `skip` says why."""

    def __init__(self, skip: Skip) -> None:
        super().__init__(str(skip))
        self.skip = skip


async def ask_model(
    backend: Backend, question: Question, tell: Callable[[Notice], None] = lambda notice: None
) -> RawCompletion:
    """Call the endpoint, cut the stream as soon as it holds what will be shown, clean the answer.

    Where FIM is refused, partial mode is asked; an answer that was cut inside a statement is continued.

    Raises:
        BackendError: the call failed.
        PausedError: no call may be made any more.
    """
    question = await question.seeing(backend.target)
    target = backend.target  # what the prompt is made for; another call may change the backend's
    context, ask, origin = question.context, question.ask, question.origin
    try:
        raw = await _booked(backend, target, question, Hole(context, ask, target.strategy))
    except (AccessError, ModelError) as refusal:
        raw = await _without_fim(backend, target, question, refusal, tell)
        target = backend.target
    raw = await _continued(backend, raw, question)
    hole = Hole(context, ask, target.strategy, raw.finish_reason)
    steps: list[postprocess.Change] = []
    text = postprocess.run(postprocess.BEFORE_CACHE, raw.text, hole, steps)
    origin.said, origin.steps = raw.text, steps
    return RawCompletion("" if isinstance(text, Skip) else text, raw.finish_reason, raw.usage)


async def _without_fim(
    backend: Backend,
    refused: Target,
    question: Question,
    refusal: AccessError | ModelError,
    tell: Callable[[Notice], None],
) -> RawCompletion:
    """Ask in partial mode what the endpoint has refused to fill in, and stay with it if it answers.

    Raises:
        BackendError: the refusal, where partial mode cannot be asked or is refused as well; or another one.
        PausedError: partial mode may be asked, and not now.
    """
    target, settings = backend.partial, question.settings
    if refused.strategy is not Strategy.FIM or settings.strategy != "auto" or target is None:
        raise refusal
    question = await question.seeing(target)
    if pause := question.paused():
        raise PausedError(pause)
    hole = Hole(question.context, question.ask, target.strategy)
    try:
        raw = await _booked(backend, target, question, hole)
    except (AccessError, ModelError):
        raise refusal from None
    backend.forgo_fim()
    question.origin.facts["strategy"] = target.strategy.value
    text = (
        f"{refusal.message.rstrip('.')}: it is asked in partial mode from now on. "
        "Set strategy to partial to skip the attempt."
    )
    tell(Notice(Level.INFO, f"no fim {target.model}", text))
    return raw


async def _continued(backend: Backend, raw: RawCompletion, question: Question) -> RawCompletion:
    """Go on, by partial mode, with an answer that the token limit has cut inside a statement.

    A continuation that fails leaves the answer as it is. What it says of a pause holds for the next call;
    what else is wrong need not be wrong with the way that the target is asked.
    """
    target = backend.partial
    if target is None or not target.provider.partial_is_certain:
        return raw
    for n in range(1, CONTINUATIONS + 1):
        hole = Hole(question.context, question.ask, target.strategy, raw.finish_reason)
        if not is_broken_off(raw.text, hole) or question.paused():
            break
        rest_of = question.after(raw.text)
        try:
            more = await _booked(backend, target, rest_of, hole, said=raw.text)
        except PausedError:
            break
        except BackendError as error:
            question.heed(error)
            break
        question.origin.facts["continued"] = n
        rest = postprocess.run(postprocess.CONTINUATION, more.text, replace(hole, context=rest_of.context))
        text = raw.text + (rest if isinstance(rest, str) else "")
        raw = RawCompletion(text, more.finish_reason, total(raw.usage, more.usage))
        raw = _stopped(raw, question.settings.stop)
    return raw


def total(one: Usage | None, other: Usage | None) -> Usage | None:
    """What two calls have used together."""
    if one is None or other is None:
        return one or other
    return Usage(
        one.prompt_tokens + other.prompt_tokens,
        one.completion_tokens + other.completion_tokens,
        one.cached_tokens + other.cached_tokens,
    )


def build_request(settings: Settings, model: str, prompt: Prompt, max_tokens: int) -> CompletionRequest:
    """The request for a prompt; of temperature and top_p only one is sent, as the API asks."""
    return CompletionRequest(
        model=model,
        prompt=prompt,
        max_tokens=max_tokens,
        stream=settings.streaming != "off",
        temperature=settings.temperature if settings.top_p is None else None,
        top_p=settings.top_p,
        seed=settings.seed,
        presence_penalty=settings.presence_penalty,
        stop=tuple(dict.fromkeys((*settings.stop, *prompt.stop))),
    )


def before_stop(text: str, stop: tuple[str, ...]) -> str:
    """The text before the first of the user's stop strings: an endpoint takes only a few of them."""
    return text[: min((text.find(mark) for mark in stop if mark and mark in text), default=len(text))]


def _stopped(raw: RawCompletion, stop: tuple[str, ...]) -> RawCompletion:
    """The answer before the first of the user's stop strings; what they end was not cut."""
    text = before_stop(raw.text, stop)
    return raw if text == raw.text else RawCompletion(text, "stop", raw.usage)


async def _booked(
    backend: Backend, target: Target, question: Question, hole: Hole, *, said: str = ""
) -> RawCompletion:
    """Make one call within the limits, and book what it used, however it ends: each call goes this way.

    Raises:
        BackendError: the call failed, or a limit does not allow it.
        PausedError: another call's failure has begun a pause while this one was being admitted.
    """
    request = question.request(target)
    ticket, received = await question.books.admit(target, request), Received()
    if pause := question.paused():
        question.books.give_back(ticket)
        raise PausedError(pause)
    try:
        raw = await _read(backend, request, hole, question, received, said=said)
    finally:
        spent = question.books.settle(ticket, received)
        question.origin.spent(spent.usage, spent.money, spent.currency, is_estimated=spent.is_estimated)
    return _stopped(raw, question.settings.stop)


async def _read(
    backend: Backend,
    request: CompletionRequest,
    hole: Hole,
    question: Question,
    received: Received,
    *,
    said: str = "",
) -> RawCompletion:
    """Read the stream until it ends or holds enough, together with what was said before it.

    `received` has what came, however it ends.

    A time-out after whole lines have come is an answer that was cut, not a failure.
    """
    held_back = request.prompt.held_back
    text, finish_reason, usage = "", None, None
    try:
        async with contextlib.aclosing(backend.stream(request)) as chunks:
            async for chunk in chunks:
                text += chunk.text
                finish_reason = chunk.finish_reason or finish_reason
                usage = chunk.usage or usage
                received.text, received.finish_reason, received.usage = text, finish_reason, usage
                if not chunk.text:
                    continue
                so_far = said + without_held_back(text, held_back)
                question.heard(so_far, hole)
                may_be_enough = "\n" in chunk.text or is_looping(text)
                if (
                    may_be_enough
                    and finish_reason is None
                    and is_enough(so_far, hole, read_on=question.read_on)
                ):
                    text = text[: text.rfind("\n") + 1] or text  # the next line has only begun
                    break
    except DeadlineError:
        if "\n" not in text.strip():
            raise
        finish_reason = "deadline"
    except BackendError as error:
        received.refused = not isinstance(error, AnswerError)
        raise
    return RawCompletion(without_held_back(text, held_back), finish_reason, usage)
