"""Headers out: what is sent, and to whom the key."""

from __future__ import annotations

import pytest

from qwen_ls import __version__
from qwen_ls.backend.base import ConfigurationError
from qwen_ls.backend.keys import Key
from qwen_ls.backend.wire.headers import request_headers
from tests.backend.asking import target_of

KEY = Key("sk-secret", "keyring")


def headers(*, extra=None, key=KEY, scheme="https", host="dashscope.aliyuncs.com", stream=True, **settings):
    return request_headers(target_of(**settings), key, extra or {}, scheme=scheme, host=host, stream=stream)


def test_a_stream() -> None:
    assert headers() == {
        "accept": "text/event-stream",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "user-agent": f"qwen-ls/{__version__}",
        "authorization": "Bearer sk-secret",
    }


def test_no_stream_no_key_and_a_workspace() -> None:
    sent = headers(key=None, stream=False, workspace_id="llm-x")
    assert sent["accept"] == "application/json"
    assert sent["x-dashscope-workspace"] == "llm-x"
    assert "authorization" not in sent


@pytest.mark.parametrize(
    ("scheme", "host"),
    [
        ("http", "dashscope.aliyuncs.com"),
        ("https", "dashscope.aliyuncs.com.evil.example"),
        ("https", "evil.example"),
        ("https", ""),
    ],
)
def test_the_key_goes_nowhere_else(scheme: str, host: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        headers(scheme=scheme, host=host)
    assert caught.value.cause == "key host"
    assert "secret" not in str(caught.value)
    assert "authorization" not in headers(scheme=scheme, host=host, key=None)


def test_extra_headers_replace_by_name() -> None:
    sent = headers(extra={"User-Agent": "me", "X-Team": " a ", "AUTHORIZATION": "Token t"})
    assert (sent["user-agent"], sent["x-team"], sent["authorization"]) == ("me", "a", "Token t")
    assert len({name.lower() for name in sent}) == len(sent)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "evil.example"),
        ("content-length", "1"),
        ("Transfer-Encoding", "chunked"),
        ("a b", "x"),
        ("", "x"),
        ("x\r\ny", "z"),
        ("x", "a\r\nauthorization: b"),
        ("x", "пароль"),
        ("x", "a\x00b"),
    ],
)
def test_headers_that_cannot_be_sent_are_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match="extraHeaders") as caught:
        headers(extra={name: value})
    assert value not in str(caught.value) or len(value) < 2
