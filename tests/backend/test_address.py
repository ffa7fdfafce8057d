"""Pasted addresses, and the hosts that may have a key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.backend.address import is_loopback, may_receive_key, read_address
from qwen_ls.backend.base import ConfigurationError
from qwen_ls.backend.presets import dashscope_host

COMPATIBLE = "https://dashscope.aliyuncs.com/compatible-mode/v1"


@pytest.mark.parametrize(
    ("pasted", "url"),
    [
        pytest.param("http://h:8000/v1", "http://h:8000/v1", id="as documented"),
        pytest.param("http://h:8000/v1/", "http://h:8000/v1", id="trailing slash"),
        pytest.param("http://h:8000/v1///", "http://h:8000/v1", id="trailing slashes"),
        pytest.param("http://h:8000", "http://h:8000/v1", id="no path"),
        pytest.param("http://h:8000/", "http://h:8000/v1", id="root"),
        pytest.param("http://h/v1/chat/completions", "http://h/v1", id="chat path"),
        pytest.param("http://h/v1/completions/", "http://h/v1", id="completions path"),
        pytest.param("http://h/v1/models", "http://h/v1", id="models path"),
        pytest.param("http://h/v1/v1", "http://h/v1", id="doubled v1"),
        pytest.param("http://h/v1/fim/completions", "http://h/v1", id="Mistral's FIM path"),
        pytest.param("http://h/api/generate", "http://h/v1", id="Ollama's own path"),
        pytest.param("http://h/infill", "http://h/v1", id="llama.cpp's own path"),
        pytest.param("http://h/api", "http://h/api", id="a gateway's path"),
        pytest.param("http://h/v1/v1/chat/completions", "http://h/v1", id="doubled v1 and path"),
        pytest.param("http://h/api/v1/v1/openai", "http://h/api/v1/openai", id="doubled v1 inside"),
        pytest.param("http://h/v1beta/openai", "http://h/v1beta/openai", id="a path of its own"),
        pytest.param("http://h/v12", "http://h/v12", id="not v1"),
        pytest.param("http://h//v1", "http://h/v1", id="double slash"),
        pytest.param("  'http://h/v1' ", "http://h/v1", id="quotes"),
        pytest.param("<http://h/v1>", "http://h/v1", id="angle brackets"),
        pytest.param("HTTP://H.Example/V1", "http://h.example/V1", id="case of scheme and host"),
        pytest.param("https://h:443/v1", "https://h/v1", id="default port"),
        pytest.param("https://h:8443/v1", "https://h:8443/v1", id="other port"),
        pytest.param("https://h./v1", "https://h/v1", id="root dot"),
        pytest.param("https://h/v1?key=1#x", "https://h/v1", id="query and fragment"),
        pytest.param("http://[::1]:8080", "http://[::1]:8080/v1", id="IPv6"),
        pytest.param("https://dashscope.aliyuncs.com", COMPATIBLE, id="dashscope host"),
        pytest.param("https://dashscope.aliyuncs.com/v1", COMPATIBLE, id="dashscope v1"),
        pytest.param("https://dashscope.aliyuncs.com/compatible-mode", COMPATIBLE, id="dashscope without v1"),
        pytest.param("https://dashscope.aliyuncs.com/api/v1", COMPATIBLE, id="dashscope native"),
        pytest.param(
            "https://dashscope.aliyuncs.com/api/v1/services/aigc/text-generation/generation",
            COMPATIBLE,
            id="dashscope native path",
        ),
        pytest.param(f"{COMPATIBLE}/chat/completions", COMPATIBLE, id="dashscope chat path"),
        pytest.param(
            "https://llm-x1.cn-beijing.maas.aliyuncs.com",
            "https://llm-x1.cn-beijing.maas.aliyuncs.com/compatible-mode/v1",
            id="workspace host",
        ),
        pytest.param(
            "https://coding.dashscope.aliyuncs.com",
            "https://coding.dashscope.aliyuncs.com/v1",
            id="coding plan",
        ),
        pytest.param(
            "https://token-plan.cn-beijing.maas.aliyuncs.com/",
            "https://token-plan.cn-beijing.maas.aliyuncs.com/compatible-mode/v1",
            id="token plan",
        ),
    ],
)
def test_what_people_paste_is_understood(pasted: str, url: str) -> None:
    assert read_address(pasted).url == url


@pytest.mark.parametrize(
    "pasted",
    [
        "",
        "h",
        "h/v1",
        "localhost:8000",
        "ftp://h/v1",
        "file:///etc/passwd",
        "https://",
        "https:///v1",
        "https://h:port/v1",
        "https://h:99999/v1",
        "https://h\\@dashscope.aliyuncs.com/v1",
        "https://h /v1",
        "https://h\n/v1",
        "https://h\t/v1",
        "https://[::1/v1",
        "javascript:alert(1)",
    ],
)
def test_what_is_no_address_is_refused(pasted: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_address(pasted)
    assert caught.value.cause == "base url"
    assert "baseUrl" in str(caught.value)


def test_credentials_in_an_address_are_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_address("https://me:sk-secret@h/v1")
    assert "secret" not in str(caught.value)


@given(st.sampled_from(["", "https://", "http://"]), st.text())
def test_any_text_is_read_or_refused(scheme: str, text: str) -> None:
    try:
        address = read_address(scheme + text)
    except ConfigurationError:
        return
    assert read_address(address.url) == address


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.10", "::1", "dev.localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["localhost.example", "127.0.0.1.example", "10.0.0.1", "", "0.0.0.0", "notlocalhost"]
)
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "dashscope.aliyuncs.com",
        "dashscope-intl.aliyuncs.com",
        "dashscope-us.aliyuncs.com",
        "cn-hongkong.dashscope.aliyuncs.com",
        "coding.dashscope.aliyuncs.com",
        "coding-intl.dashscope.aliyuncs.com",
        "llm-a1.cn-beijing.maas.aliyuncs.com",
        "ws-b2.ap-southeast-1.maas.aliyuncs.com",
        "trial.cn-hongkong.maas.aliyuncs.com",
        "token-plan.cn-beijing.maas.aliyuncs.com",
        "DashScope.AliyunCS.com",
        "dashscope.aliyuncs.com.",
    ],
)
def test_dashscope_may_have_a_key_over_https_only(host: str) -> None:
    assert may_receive_key("https", host)
    assert not may_receive_key("http", host)
    assert not may_receive_key("http", host, named_host=host)


@pytest.mark.parametrize(
    "host",
    [
        "dashscope.aliyuncs.com.evil.example",
        "evil-dashscope.aliyuncs.com",
        "xdashscope.aliyuncs.com",
        "dashscope.aliyuncs.com.cn",
        "aliyuncs.com",
        "evil.aliyuncs.com",
        "bucket.oss-cn-beijing.aliyuncs.com",
        "maas.aliyuncs.com",
        "cn-beijing.maas.aliyuncs.com",
        "a.b.cn-beijing.maas.aliyuncs.com",
        "-a.cn-beijing.maas.aliyuncs.com",
        "a.cn-evil.maas.aliyuncs.com",
        "a.cn-beijing.maas.aliyuncs.com.evil.example",
        "a.cn-beijingxmaas.aliyuncs.com",
        "a.cn-beijing.maas.aliyuncs.com\n",
        "dashscope.aliyuncs.com@evil.example",
        "dashscope.aliyuncs.com:443",
        "dаshscope.aliyuncs.com",  # a Cyrillic а
        "dashscope\u3002aliyuncs.com",
        "localhost.evil.example",
        "api.openai.com",
        "192.168.0.1",
        "",
        ".",
    ],
)
def test_nobody_else_may_have_a_key(host: str) -> None:
    assert not may_receive_key("https", host)
    assert not may_receive_key("https", host, named_host="elsewhere.example")
    assert dashscope_host(host) is None


def test_a_host_that_the_user_names_may_have_a_key() -> None:
    assert may_receive_key("http", "gpu.lan", named_host="gpu.lan")
    assert not may_receive_key("http", "gpu.lan.evil.example", named_host="gpu.lan")
    assert not may_receive_key("https", "", named_host="")


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_this_machine_may_have_a_key(scheme: str, host: str) -> None:
    assert may_receive_key(scheme, host)
