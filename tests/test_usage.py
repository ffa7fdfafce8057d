"""How many tokens a call is reckoned with before it is made."""

from __future__ import annotations

import pytest

from qwen_ls.backend.plan import resolve
from qwen_ls.core.budget import estimate_tokens
from qwen_ls.core.context import build_context
from qwen_ls.core.images import IMAGE_TOKENS
from qwen_ls.core.prompt import build_prompt, with_image
from qwen_ls.core.types import Strategy, TriggerKind
from qwen_ls.settings import Settings
from qwen_ls.usage import prompt_tokens
from tests.marked import marked

PICTURE = "a = 1\n" * 40 + "b = █\n" + "c = 3\n" * 60


def tokens(**settings: str) -> int:
    target = resolve(Settings(**settings))
    prompt = build_prompt(
        build_context(*marked(PICTURE), TriggerKind.INVOKED),
        strategy=target.strategy,
        layout=target.layout,
        template=target.template,
    )
    return prompt_tokens(target, prompt)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="tokens in the prompt"),
        pytest.param({"strategy": "partial"}, id="partial mode"),
        pytest.param({"provider": "deepseek", "api_key_env": "K"}, id="a field for the suffix"),
        pytest.param({"provider": "mistral", "api_key_env": "K"}, id="a path of its own"),
        pytest.param({"provider": "ollama", "model": "qwen2.5-coder:1.5b"}, id="laid out by the server"),
    ],
)
def test_both_sides_of_the_cursor_are_read(settings: dict[str, str]) -> None:
    read = estimate_tokens(PICTURE)
    assert read <= tokens(**settings) + 2 <= read + 100


def test_an_image_is_read_too() -> None:
    target = resolve(Settings(model="qwen3-vl-plus", strategy="partial"))
    prompt = build_prompt(
        build_context(*marked("![a cat](cat.png)█"), TriggerKind.INVOKED), strategy=Strategy.PARTIAL
    )
    seen = with_image(prompt, "data:image/png;base64," + "A" * 100_000)
    assert IMAGE_TOKENS <= prompt_tokens(target, seen) - prompt_tokens(target, prompt) < IMAGE_TOKENS + 50
