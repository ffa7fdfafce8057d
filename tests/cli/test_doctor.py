"""`doctor`, whole, against a real HTTP endpoint that is a fake and misbehaves as it is told."""

import asyncio
import json
import ssl
from pathlib import Path

import pytest

from qwen_ls.backend.base import TlsError
from qwen_ls.backend.streams import Streams, remember
from qwen_ls.backend.tls import shake_hands
from qwen_ls.backend.wire.semantics import Semantics
from tests.backend.asking import target_of
from tests.backend.byteserver import ByteServer
from tests.fake_dashscope import Behaviour, FakeDashScope, Reply

KEY = "sk-test"
SQUARES = " 3025,\n    56: 3136,\n    57: 3249,\n    58: 3364,\n    59: 3481,"
CERTIFICATE = Path(__file__).parent.parent / "backend" / "certificates" / "localhost.pem"


def filled(request):
    """What a good model puts into each of the holes."""
    prompt = request.prefix + request.raw_body.decode()
    if "SQUARES" in prompt:
        return SQUARES
    return "zebra_sum = 0" if "total_price" in prompt else "a + b"


@pytest.fixture
def fake(monkeypatch):
    """An endpoint, and an environment in which the command asks it."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)
    with FakeDashScope.in_thread(answer=filled) as made:
        monkeypatch.setenv("QWEN_LS_BASE_URL", made.compat_url)
        yield made


def findings(done):
    return {finding["what"]: finding for finding in json.loads(done.stdout)["findings"]}


def test_doctor_finds_all_well_in_order(qwen_ls, fake):
    done = qwen_ls("doctor", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = findings(done)
    assert {finding["mark"] for finding in found.values()} == {"good"}
    assert list(found) == [
        "version", "settings", "key", "host", "model", "strategy", "call", "answer", "tidiness", "suffix",
        "streaming", "speed", "cache", "spent",
    ]  # fmt: skip
    assert "first token after" in found["call"]["seen"]
    assert '"a + b" fits' in found["answer"]["seen"]
    assert "each holds new text (saved" in found["streaming"]["seen"]
    assert "ms to the first token" in found["speed"]["seen"]
    assert KEY not in done.stdout


def test_doctor_in_words(qwen_ls, fake):
    done = qwen_ls("doctor")
    assert done.returncode == 0
    assert "✓ key        from the environment variable DASHSCOPE_API_KEY" in done.stdout
    assert done.stdout.endswith("all is well\n")


def test_doctor_says_that_partial_mode_has_to_answer(qwen_ls, fake):
    fake.script.append(Reply(fault="model_not_supported"))
    done = qwen_ls("doctor")
    assert done.returncode == 0, done.stdout
    assert "partial mode answers instead" in done.stdout
    assert "→ Set strategy to partial" in done.stdout
    assert done.stdout.endswith("it works; see the lines with a !\n")


def test_doctor_asks_the_native_api(qwen_ls, fake):
    done = qwen_ls("doctor", "--set", "protocol=dashscope")
    assert done.returncode == 0, done.stdout
    assert fake.requests[-1].path == "/api/v1/services/aigc/text-generation/generation"


def test_doctor_costs_less_than_it_promises_and_says_what(qwen_ls, fake):
    done = qwen_ls("doctor", "--json")
    measured = json.loads(done.stdout)["measured"]
    total = measured["prompt_tokens"] + measured["completion_tokens"]
    assert 300 < total < 2000
    assert findings(done)["spent"]["seen"] == f"{total} tokens in 4 calls"
    assert measured["calls"] == len([r for r in fake.requests if r.method == "POST"]) == 4
    booked = json.loads(qwen_ls("stats", "--json").stdout)["today"]["total"]
    assert booked["calls"] == 4
    assert booked["prompt_tokens"] >= measured["prompt_tokens"]


def test_a_refused_attempt_is_a_call_and_costs_nothing(qwen_ls, fake):
    fake.script.append(Reply(fault="model_not_supported"))
    done = qwen_ls("doctor", "--json")
    measured = json.loads(done.stdout)["measured"]
    assert measured["calls"] == len([r for r in fake.requests if r.method == "POST"]) == 5
    total = measured["prompt_tokens"] + measured["completion_tokens"]
    assert findings(done)["spent"]["seen"] == f"{total} tokens in 5 calls"


def test_a_refusal_alone_costs_nothing(qwen_ls, fake):
    fake.behaviour = Behaviour(fault="rate_limit")
    assert findings(qwen_ls("doctor", "--json"))["spent"]["seen"] == "0 tokens in 1 call"


@pytest.mark.parametrize("more", [[], ["--set", "protocol=dashscope"], ["--set", "streaming=off"]])
def test_a_model_that_goes_on_and_on_costs_no_more_than_was_promised(qwen_ls, fake, more):
    fake.behaviour = Behaviour(sloppy="endless")
    measured = json.loads(qwen_ls("doctor", "--json", "--set", "maxTokens=8192", *more).stdout)["measured"]
    assert measured["prompt_tokens"] + measured["completion_tokens"] < 2000


def test_a_native_path_that_the_row_has_wrong_is_said(qwen_ls, fake):
    row = 'models={"qwen3-coder-flash": {"nativePath": "multimodal"}}'
    done = qwen_ls(
        "doctor", "--json", "--set", "protocol=dashscope", "--set", "model=qwen3-coder-flash", "--set", row
    )
    found = findings(done)
    assert found["path"]["mark"] == "doubtful"
    assert "nativePath to text" in found["path"]["remedy"]
    assert "each holds new text (saved" in found["streaming"]["seen"]


def test_a_model_that_would_think_is_said(qwen_ls, fake):
    row = 'models={"qwen3-8b": {"thinking": "never"}}'
    found = findings(qwen_ls("doctor", "--json", "--set", "model=qwen3-8b", "--set", row))
    assert "hybrid" in found["call"]["remedy"]


def test_a_cached_prompt_is_seen(qwen_ls, fake):
    done = qwen_ls("doctor", "--json", "--set", "model=qwen3-coder-plus", "--set", "strategy=partial")
    found = findings(done)
    assert "came from the cache" in found["cache"]["seen"], found
    assert json.loads(done.stdout)["measured"]["cached_tokens"] >= 256


def test_a_cumulative_stream_is_seen_and_kept_for_the_server(qwen_ls, fake, tmp_path):
    fake.behaviour = Behaviour(stream_semantics="cumulative")
    found = findings(qwen_ls("doctor", "--json"))
    assert "each holds all the text so far (saved" in found["streaming"]["seen"]
    assert found["answer"]["mark"] == "good"
    kept = Streams(tmp_path / "state" / "streams.json")
    assert kept.recall(f"{fake.compat_url}/completions", "qwen-coder-turbo") is Semantics.CUMULATIVE
    assert KEY not in (tmp_path / "state" / "streams.json").read_text("utf-8")


def test_fences_are_seen(qwen_ls, fake):
    fake.behaviour = Behaviour(sloppy="fences")
    found = findings(qwen_ls("doctor", "--json"))
    assert (found["tidiness"]["mark"], found["answer"]["mark"]) == ("doubtful", "good")
    assert "fences" in found["tidiness"]["seen"]


def test_thinking_aloud_is_seen(qwen_ls, fake):
    fake.answer = "<think>\nA sum.\n</think>\na + b"
    found = findings(qwen_ls("doctor", "--json"))
    assert "thinks" in found["tidiness"]["seen"]
    assert found["tidiness"]["remedy"]


def test_an_answer_that_ignores_the_suffix_is_doubted(qwen_ls, fake):
    fake.answer = "a + b"
    done = qwen_ls("doctor", "--json")
    assert findings(done)["suffix"]["mark"] == "doubtful"
    assert done.returncode == 0


def test_an_ignored_suffix_is_proved_by_the_count(qwen_ls, fake, monkeypatch):
    """A server that takes the parameter and does nothing with it."""
    monkeypatch.setenv("QWEN_LS_PROVIDER", "ollama")
    fake.models["m"] = fake.models["qwen-coder-turbo"]
    fake.answer = "a + b"
    done = qwen_ls("doctor", "--json", "--set", "model=m", "--set", "apiKeyEnv=DASHSCOPE_API_KEY")
    found = findings(done)
    assert (found["suffix"]["mark"], done.returncode) == ("bad", 3), found
    assert "ignored" in found["suffix"]["seen"]
    assert "fimTemplate" in found["suffix"]["remedy"]


def test_a_wrong_template_is_seen(qwen_ls, fake):
    fake.answer = "fim_middle return"
    done = qwen_ls("doctor", "--json")
    assert (findings(done)["answer"]["mark"], done.returncode) == ("bad", 3)
    assert "fimTemplate" in findings(done)["answer"]["remedy"]


def test_a_slow_endpoint_is_seen(qwen_ls, fake):
    fake.script.append(Reply(text="a + b", behaviour=Behaviour(ttfb_ms=1600)))
    found = findings(qwen_ls("doctor", "--json"))
    assert found["speed"]["mark"] == "doubtful"
    assert found["speed"]["seen"].startswith("slow: ")


def test_a_key_of_another_region_is_said(qwen_ls, fake, monkeypatch):
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-of-singapore")
    done = qwen_ls("doctor", "--json")
    assert done.returncode == 3
    assert "region" in findings(done)["call"]["remedy"]


def test_a_model_of_unknown_family_is_said(qwen_ls, fake, monkeypatch):
    monkeypatch.setenv("QWEN_LS_PROVIDER", "vllm")
    fake.models["llama-3"] = fake.models["qwen-plus"]
    done = qwen_ls("doctor", "--set", "model=llama-3", "--set", "apiKeyEnv=DASHSCOPE_API_KEY")
    assert "tokens of the model llama-3 are not known, so partial mode is used" in done.stdout


def test_what_is_kept_is_kept_once_and_rubbish_is_nothing(tmp_path):
    path = tmp_path / "streams.json"
    remember("http://a", "m", Semantics.DELTA, path)
    remember("http://a", "m", Semantics.CUMULATIVE, path)
    assert len(json.loads(path.read_text("utf-8"))) == 1
    assert Streams(path).recall("http://a", "m") is Semantics.CUMULATIVE
    for rubbish in ("", "{", "[1]", '[{"url": 1}]', '[{"url": "a", "model": "m", "stream": "?"}]'):
        path.write_text(rubbish, "utf-8")
        assert Streams(path).recall("http://a", "m") is None


@pytest.mark.parametrize("trusted", [True, False])
async def test_the_certificate_is_looked_at(monkeypatch, trusted):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))

    async def nothing(exchange):
        return False

    async with ByteServer(nothing, tls=context) as server:
        target = target_of(provider="openai", base_url=f"https://localhost:{server.port}/v1", model="qwen")
        if trusted:
            seen = await asyncio.to_thread(shake_hands, target)
            assert seen.version.startswith("TLS")
        else:
            with pytest.raises(TlsError):
                await asyncio.to_thread(shake_hands, target)


def test_doctor_doubts_a_strange_answer(qwen_ls, fake):
    fake.answer = "banana"
    done = qwen_ls("doctor", "--json")
    assert done.returncode == 0
    assert findings(done)["answer"]["mark"] == "doubtful"


def test_doctor_without_a_key_says_what_to_do(qwen_ls):
    done = qwen_ls("doctor")
    assert done.returncode == 2
    assert "✗ key        There is no key for DashScope\n" in done.stdout
    assert "→ Set the environment variable DASHSCOPE_API_KEY" in done.stdout


def test_doctor_with_a_refused_key_says_what_to_do(qwen_ls, fake, monkeypatch):
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-wrong")
    done = qwen_ls("doctor", "--json")
    assert done.returncode == 3
    assert findings(done)["call"]["mark"] == "bad"
    assert findings(done)["call"]["remedy"]
    assert "sk-wrong" not in done.stdout


def test_doctor_with_settings_that_cannot_work(qwen_ls, fake, monkeypatch):
    monkeypatch.delenv("QWEN_LS_BASE_URL")
    done = qwen_ls("doctor", "--json", "--set", "strategy=fim", "--set", "region=singapore")
    assert done.returncode == 2
    assert "Set strategy to auto or partial" in findings(done)["settings"]["remedy"]


def test_doctor_where_nothing_answers(qwen_ls, fake):
    fake.refuse()
    done = qwen_ls("doctor", "--json")
    assert done.returncode == 3
    assert findings(done)["call"]["mark"] == "bad"
