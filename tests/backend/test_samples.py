"""Every sample of the three API documents, asked by our own client in both protocols, against the fake.

The samples' requests are those of `tests/fake_dashscope/samples`: what the document sends, ours sends too,
with its own limits and stops beside it.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from qwen_ls.backend.connect import connect
from qwen_ls.core.prompt import fim
from qwen_ls.core.types import CompletionRequest, Layout, Prompt, Strategy
from qwen_ls.settings import Settings
from tests.fake_dashscope.answers import COFFEE, FIBONACCI, QUICK_SORT, REVERSE_WORDS, STORY

if TYPE_CHECKING:
    from tests.fake_dashscope import FakeDashScope

SAMPLES = Path(__file__).parent.parent / "fake_dashscope" / "samples"
STREAMING = pytest.mark.parametrize("streaming", ["auto", "off"])
PROTOCOLS = pytest.mark.parametrize("protocol", ["openai", "dashscope"])
PRINTED_STORY = re.compile(r'"content": "([^"]+科幻故事)"')


def sample(name: str) -> dict[str, Any]:
    """The JSON body of a curl sample."""
    source = (SAMPLES / f"{name}.curl.txt").read_text("utf-8")
    words = shlex.split(source[source.index("curl ") :].replace("\\\n", " "))
    return json.loads(words[words.index("-d") + 1])


async def asked(fake: FakeDashScope, prompt: Prompt, max_tokens: int = 2048, **settings: Any) -> Any:
    """Our client's answer, read to its end."""
    values = Settings(base_url=fake.compat_url, temperature=None, **settings)
    backend = connect(values, environ={"DASHSCOPE_API_KEY": "sk-test"})
    request = CompletionRequest(backend.target.model, prompt, max_tokens)
    text, finish_reason = "", None
    try:
        async for chunk in backend.stream(request):
            text, finish_reason = text + chunk.text, chunk.finish_reason or finish_reason
    finally:
        await backend.aclose()
    return text, finish_reason


def partial_prompt(messages: list[dict[str, Any]]) -> Prompt:
    """Our prompt for a sample's messages: in either protocol's words for text and images."""
    content = messages[0]["content"]
    parts = [{"text": content}] if isinstance(content, str) else content
    images = [part["image"] if "image" in part else part["image_url"]["url"] for part in parts[:-1]]
    prefix = messages[1]["content"] if len(messages) > 1 else ""
    return Prompt(Strategy.PARTIAL, prefix, "", parts[-1]["text"], images=tuple(images))


@STREAMING
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(("kind", "answer"), [("prefix", QUICK_SORT), ("middle", REVERSE_WORDS)])
async def test_completions(
    fake: FakeDashScope, kind: str, language: str, answer: str, streaming: str
) -> None:
    """Documents 1 and 2: our templates are the documents', byte for byte."""
    body = sample(f"completions_{kind}_{language}")
    middle = re.fullmatch(
        r"<\|fim_prefix\|>(.*)<\|fim_suffix\|>(?:(.+)<\|fim_middle\|>)?", body["prompt"], re.DOTALL
    )
    assert middle
    prefix, suffix = middle[1], middle[2] or ""
    text = fim(prefix, suffix, Layout.PREFIX_SUFFIX_MIDDLE)
    assert text == body["prompt"]
    prompt = Prompt(Strategy.FIM, prefix, suffix, text)
    said = await asked(fake, prompt, model=body["model"], strategy="fim", streaming=streaming)
    assert said == (answer, "stop")
    (request,) = fake.requests
    assert request.path == "/compatible-mode/v1/completions"
    assert body.items() <= request.body.items()


@STREAMING
@PROTOCOLS
@pytest.mark.parametrize(("name", "answer"), [("partial_fibonacci", FIBONACCI), ("partial_image", COFFEE)])
async def test_partial_mode(
    fake: FakeDashScope, name: str, answer: str, protocol: str, streaming: str
) -> None:
    """Document 3: code and an image, in the compatible protocol and the native one."""
    body = sample(name if protocol == "openai" else f"{name}_native")
    messages = (body.get("input") or body)["messages"]
    said = await asked(
        fake,
        partial_prompt(messages),
        model=body["model"],
        strategy="partial",
        protocol=protocol,
        streaming=streaming,
    )
    assert said == (answer, "stop")
    (request,) = fake.requests
    sent = request.body
    assert (sent.get("input") or sent)["messages"] == messages
    if protocol == "dashscope":
        assert (body.get("parameters") or {}).items() <= sent["parameters"].items()
        assert request.path.endswith(f"/{'multimodal' if 'image' in name else 'text'}-generation/generation")


@STREAMING
@PROTOCOLS
async def test_an_answer_that_was_cut_is_continued(
    fake: FakeDashScope, protocol: str, streaming: str
) -> None:
    """Document 3: `max_tokens` cuts the story; partial mode goes on where it stopped."""
    source = (SAMPLES / "partial_truncated.py.txt").read_text("utf-8")
    found = PRINTED_STORY.search(source)
    assert found
    settings = {"model": "qwen-plus", "strategy": "partial", "protocol": protocol, "streaming": streaming}
    first, why = await asked(fake, Prompt(Strategy.PARTIAL, "", "", found[1]), 40, **settings)
    assert why == "length"
    assert STORY.startswith(first)
    rest = await asked(fake, Prompt(Strategy.PARTIAL, first, "", found[1]), **settings)
    assert (first + rest[0], rest[1]) == (STORY, "stop")
