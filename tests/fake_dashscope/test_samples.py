"""Every code sample of the three API documents runs against the fake, only its host replaced.

The Python samples run in the official ``openai`` and ``dashscope`` packages; the curl samples are parsed as a
shell would and sent with httpx.  The Node.js samples send the same JSON as the Python and curl ones.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dashscope
import httpx
import pytest
from dashscope.api_entities import http_request

from .answers import COFFEE, FIBONACCI, QUICK_SORT, REVERSE_WORDS, STORY

if TYPE_CHECKING:
    from . import FakeDashScope

SAMPLES = Path(__file__).parent / "samples"
HOST = "https://dashscope.aliyuncs.com"
FIBONACCI_PREFIX = "def calculate_fibonacci(n):\n    if n <= 1:\n        return n\n    else:\n"


def run_python(name: str, fake: FakeDashScope) -> str:
    """What the sample prints."""
    source = (SAMPLES / f"{name}.py.txt").read_text(encoding="utf-8").replace(HOST, fake.base_url)
    # The dashscope samples change the base URL as they say themselves: by the line that is commented out.
    source = re.sub(
        r"^# (dashscope\.base_http_api_url = ).*$", rf'\1"{fake.native_url}"', source, flags=re.MULTILINE
    )
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, name, "exec"), {"__name__": "sample"})
    return printed.getvalue()


def run_curl(name: str, fake: FakeDashScope) -> httpx.Response:
    """The answer to the sample's request."""
    source = (SAMPLES / f"{name}.curl.txt").read_text(encoding="utf-8")
    command = (
        source[source.index("curl ") :].replace(HOST, fake.base_url).replace("$DASHSCOPE_API_KEY", "sk-test")
    )
    words = shlex.split(command.replace("\\\n", " "))
    url = next(word for word in words if word.startswith("http"))
    after = list(itertools.pairwise(words))
    headers = dict(value.split(": ", 1) for option, value in after if option == "-H")
    (data,) = [value for option, value in after if option == "-d"]
    with httpx.Client(trust_env=False, timeout=30) as client:
        return client.post(url, headers=headers, content=data.encode())


@pytest.fixture(autouse=True)
def _close_shared_sessions() -> Any:
    """The dashscope package keeps one session for the whole process: it must not outlive the fake."""
    base = dashscope.base_http_api_url
    yield
    dashscope.base_http_api_url = base
    http_request.close_shared_sync_session()


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(("kind", "answer"), [("prefix", QUICK_SORT), ("middle", REVERSE_WORDS)])
def test_completions_samples(threaded: FakeDashScope, kind: str, language: str, answer: str) -> None:
    """Documents 1 and 2: prefix only, and prefix with suffix, by the openai package and by curl."""
    assert run_python(f"completions_{kind}_{language}", threaded) == answer + "\n"
    body = run_curl(f"completions_{kind}_{language}", threaded).json()
    assert body["choices"] == [{"index": 0, "text": answer, "finish_reason": "stop", "logprobs": None}]
    assert body["object"] == "text_completion"
    assert body["system_fingerprint"] is None
    assert (
        body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]
    )
    first, second = threaded.requests
    assert first.body["model"] == second.body["model"] == body["model"]
    assert first.suffix == ("return result" if kind == "middle" else "")


def test_completed_samples_are_code(threaded: FakeDashScope) -> None:
    """The answer to the quick-sort sample is code that sorts."""
    made: dict[str, Any] = {}
    exec("def quick_sort(arr):" + run_python("completions_prefix_en", threaded), made)
    assert made["quick_sort"]([3, 1, 2, 3]) == [1, 2, 3, 3]


def test_partial_fibonacci_compatible(threaded: FakeDashScope) -> None:
    """Document 3: partial mode by the openai package and by curl; the answer does not repeat the prefix."""
    assert run_python("partial_fibonacci", threaded) == FIBONACCI_PREFIX + FIBONACCI + "\n"
    body = run_curl("partial_fibonacci", threaded).json()
    message = {"content": FIBONACCI, "role": "assistant"}
    assert body["choices"] == [{"message": message, "finish_reason": "stop", "index": 0, "logprobs": None}]
    assert list(body) == ["choices", "object", "usage", "created", "system_fingerprint", "model", "id"]
    assert body["usage"]["prompt_tokens_details"] == {"cache_type": "implicit", "cached_tokens": 0}
    assert threaded.requests[0].prefix == threaded.requests[1].prefix == FIBONACCI_PREFIX


def test_partial_fibonacci_native(threaded: FakeDashScope) -> None:
    """Document 3: partial mode by the dashscope package and by curl."""
    assert run_python("partial_fibonacci_native", threaded) == FIBONACCI_PREFIX + FIBONACCI + "\n"
    body = run_curl("partial_fibonacci_native", threaded).json()
    message = {"content": FIBONACCI, "role": "assistant"}
    assert body["output"] == {"choices": [{"message": message, "finish_reason": "stop"}]}
    assert list(body["usage"]) == ["total_tokens", "output_tokens", "input_tokens", "prompt_tokens_details"]
    assert list(body) == ["output", "usage", "request_id"]


def test_partial_with_image(threaded: FakeDashScope) -> None:
    """Document 3: an image and a partial answer, on both protocols; the native content is a list."""
    assert run_python("partial_image", threaded) == COFFEE + "\n"
    assert run_python("partial_image_native", threaded) == COFFEE + "\n"
    assert run_curl("partial_image", threaded).json()["choices"][0]["message"]["content"] == COFFEE
    body = run_curl("partial_image_native", threaded).json()
    assert body["output"]["choices"][0]["message"]["content"] == [{"text": COFFEE}]
    usage = body["usage"]
    assert usage["image_tokens"] == usage["input_tokens_details"]["image_tokens"] == 258
    assert usage["input_tokens"] == 258 + usage["input_tokens_details"]["text_tokens"]


@pytest.mark.parametrize("name", ["partial_truncated", "partial_truncated_native"])
def test_truncated_output_is_continued(threaded: FakeDashScope, name: str) -> None:
    """Document 3: an answer cut by max_tokens ends with ``length`` and is continued by partial mode."""
    printed = run_python(name, threaded)
    first, _, rest = printed.partition("###停止生成原因：stop\n###完整内容：\n")
    assert first.startswith("###停止生成原因：length\n")
    assert STORY.startswith(first.removeprefix("###停止生成原因：length\n").removesuffix("\n"))
    assert rest == STORY + "\n"


def test_samples_send_what_the_documents_say(threaded: FakeDashScope) -> None:
    """The Python and the curl form of a sample send the same body, so the Node.js form does too."""
    for name in ("completions_prefix_en", "partial_image"):
        run_python(name, threaded)
        run_curl(name, threaded)
        by_python, by_curl = threaded.requests[-2:]
        assert json.loads(by_python.raw_body) == json.loads(by_curl.raw_body)
        assert by_python.headers["authorization"] == by_curl.headers["authorization"] == "Bearer ***"
