"""The real model on the real engine: the documents' own examples, filled with code that works.

Needs the weights: `QWEN_LS_LOCAL_MODEL` or `QWEN_LS_DATA_DIR` says where they are or go; else they are
downloaded to the user's data folder. Only where they cannot be had at all is this skipped, with a warning.
Holes and stops are chosen so that the greedy answers of this small model are right in both layouts.
"""

from __future__ import annotations

import ast
import time
import warnings

import pytest

from qwen_ls.backend.connect import connect
from qwen_ls.core.prompt import fim, instruction
from qwen_ls.core.types import CompletionRequest, Layout, Prompt, Strategy
from qwen_ls.local import weights
from qwen_ls.local.errors import WeightsError
from qwen_ls.local.lease import running
from qwen_ls.settings import Settings

pytestmark = [pytest.mark.real_model, pytest.mark.timeout(900)]

REVERSE_WORDS = '''\
import re


def reverse_words_with_special_chars(s):
    """
    Reverse each word in the string (preserving the position of non-alphabetic characters) and maintain the word order.
    Example:
        reverse_words_with_special_chars("Hello, world!") -> "olleH, dlrow!"
    Parameters:
        s (str): The input string, which may contain punctuation.
    Returns:
        str: The processed string, where words are reversed but non-alphabetic characters remain in their original positions.
    """
    result = re.sub(r"[A-Za-z]+", lambda match: match.group()<|>[::-1], s)
    return result
'''  # noqa: E501 - as it stands in the documents
QUICK_SORT = """\
# Write a Python quick sort function
def quick_sort(arr):
    if len(arr) <= 1:
        return arr
    pivot = arr[len(arr) // 2]
<|>    return quick_sort(left) + middle + quick_sort(right)
"""
FIBONACCI = "def calculate_fibonacci(n):\n    if n <= 1:\n        return n\n    else:\n"


@pytest.fixture(scope="module")
def real_weights():
    """The weights, downloaded if they must be."""
    try:
        return weights.ensure()
    except WeightsError as exc:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(f"THE REAL MODEL WAS NOT TESTED: {exc}", stacklevel=1)
        pytest.skip(f"the real model was not tested: {exc}")


@pytest.fixture
async def backend(real_weights):
    """The backend that the settings `provider: local` build."""
    backend = connect(Settings(provider="local", timeout_ms=600_000))
    yield backend
    await backend.aclose()


async def answer(backend, prompt, *, stop=(), max_tokens=96):
    request = CompletionRequest(
        model=backend.target.model,
        prompt=prompt,
        max_tokens=max_tokens,
        temperature=0.0,
        stop=(*stop, *backend.target.row.stop),
    )
    began, first, text, usage = time.monotonic(), None, "", None
    async for chunk in backend.stream(request):
        first = first or (time.monotonic() - began if chunk.text else None)
        text, usage = text + chunk.text, chunk.usage or usage
    print(f"first text after {first:.2f} s, all after {time.monotonic() - began:.2f} s, {usage}")
    print(text)
    return text


def run(source, name):
    """Parse and run the code; returns the function of that name."""
    names: dict[str, object] = {}
    exec(compile(ast.parse(source), "filled", "exec"), names)
    return names[name]


@pytest.mark.parametrize("layout", list(Layout))
async def test_fim_fills_reverse_words(backend, layout):
    """The middle of a line, with code after it."""
    prefix, rest = REVERSE_WORDS.split("<|>")
    suffix = rest[rest.index("\n") :]
    prompt = Prompt(Strategy.FIM, prefix, suffix, fim(prefix, suffix, layout))
    text = await answer(backend, prompt, stop=("\n",))
    filled = run(prefix + text + suffix, "reverse_words_with_special_chars")
    assert filled("Hello, world!") == "olleH, dlrow!"


@pytest.mark.parametrize("layout", list(Layout))
async def test_fim_fills_quick_sort(backend, layout):
    """Several lines, up to the line that is there already."""
    prefix, suffix = QUICK_SORT.split("<|>")
    prompt = Prompt(Strategy.FIM, prefix, suffix, fim(prefix, suffix, layout))
    text = await answer(backend, prompt, stop=("    return quick_sort",))
    filled = run(prefix + text + suffix, "quick_sort")
    assert filled([3, 6, 8, 10, 1, 2, 1]) == [1, 1, 2, 3, 6, 8, 10]


async def test_partial_mode_continues_fibonacci(real_weights):
    """The last message is continued, byte for byte."""
    backend = connect(Settings(provider="local", strategy="partial", timeout_ms=600_000))
    try:
        prompt = Prompt(Strategy.PARTIAL, FIBONACCI, "", instruction("python", ""))
        text = await answer(backend, prompt, stop=("\n\n",))
    finally:
        await backend.aclose()
    filled = run(FIBONACCI + text, "calculate_fibonacci")
    assert [filled(n) for n in range(8)] == [0, 1, 1, 2, 3, 5, 8, 13]


async def test_the_engine_is_shared_and_named(backend):
    """What `doctor` shows of a running engine."""
    await backend.warm()
    known = running()
    assert known["leases"] >= 1
    assert known["engine"]["kind"] in {"llama-server", "xllamacpp"}
    assert backend.target.base_url.startswith("http://127.0.0.1:")
