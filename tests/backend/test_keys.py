"""The key: found, cleaned, and never shown."""

from __future__ import annotations

import sys
import types

import pytest

from qwen_ls.backend.base import ConfigurationError
from qwen_ls.backend.keys import Key, clean_key, find_key, read_keyring
from qwen_ls.backend.presets import PROVIDERS
from qwen_ls.settings import Settings

DASHSCOPE, OPENAI, VLLM = PROVIDERS["dashscope"], PROVIDERS["openai"], PROVIDERS["vllm"]


def no_keyring(service: str, user: str) -> None:
    return None


def test_the_environment_is_asked_first() -> None:
    def keyring(service: str, user: str) -> str:
        raise AssertionError("the keyring may ask its owner: it is not to be opened without need")

    key = find_key(Settings(), DASHSCOPE, {"DASHSCOPE_API_KEY": "sk-env"}, keyring)
    assert key == Key("sk-env", "environment variable DASHSCOPE_API_KEY")


def test_the_keyring_is_asked_next() -> None:
    asked = []

    def keyring(service: str, user: str) -> str:
        asked.append((service, user))
        return "sk-ring"

    assert find_key(Settings(), DASHSCOPE, {"DASHSCOPE_API_KEY": ""}, keyring) == Key("sk-ring", "keyring")
    assert asked == [("qwen-ls", "dashscope")]


def test_the_settings_may_name_another_variable() -> None:
    settings = Settings(api_key_env="MY_KEY")
    environ = {"DASHSCOPE_API_KEY": "sk-wrong", "MY_KEY": "sk-right"}
    found = find_key(settings, DASHSCOPE, environ, no_keyring)
    assert found is not None
    assert found.value == "sk-right"


@pytest.mark.parametrize(
    ("provider", "settings", "variable"),
    [
        pytest.param(DASHSCOPE, Settings(), "DASHSCOPE_API_KEY", id="dashscope"),
        pytest.param(OPENAI, Settings(api_key_env="RELAY_KEY"), "RELAY_KEY", id="named by the settings"),
        pytest.param(VLLM, Settings(api_key_env="VLLM_KEY"), "VLLM_KEY", id="vllm, named by the settings"),
    ],
)
def test_a_missing_key_names_the_variable(provider, settings, variable) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_key(settings, provider, {}, no_keyring)
    assert variable in caught.value.remedy
    assert f"keyring set qwen-ls {provider.name}" in caught.value.remedy
    assert caught.value.cause == "no key"


@pytest.mark.parametrize("provider", [OPENAI, VLLM, PROVIDERS["llama.cpp"]], ids=lambda p: p.name)
def test_servers_of_ones_own_need_no_key(provider) -> None:
    assert find_key(Settings(), provider, {}, no_keyring) is None


@pytest.mark.parametrize(
    "pasted",
    [
        "sk-a1_B2-c3",
        " sk-a1_B2-c3\n",
        "sk-a1_B2-c3\r\n",
        '"sk-a1_B2-c3"',
        "'sk-a1_B2-c3'",
        "“sk-a1_B2-c3”",
        "Bearer sk-a1_B2-c3",
        "bearer  sk-a1_B2-c3",
        "Authorization: Bearer sk-a1_B2-c3",
        ' "Bearer sk-a1_B2-c3" ',
    ],
)
def test_what_is_pasted_with_a_key_is_taken_off(pasted: str) -> None:
    assert clean_key(pasted, "test") == "sk-a1_B2-c3"


@pytest.mark.parametrize("pasted", ["sk-ключ", "sk-a b", "sk-a\nb", "sk-a\x00b", "sk-\ud800", "你的key"])
def test_what_cannot_be_a_key_is_refused_and_not_repeated(pasted: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_key(Settings(), DASHSCOPE, {"DASHSCOPE_API_KEY": pasted}, no_keyring)
    assert pasted not in str(caught.value)
    assert "DASHSCOPE_API_KEY" in str(caught.value)


@pytest.mark.parametrize("blank", ["", "  ", '""', "\n"])
def test_a_blank_key_is_none(blank: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_key(Settings(), DASHSCOPE, {"DASHSCOPE_API_KEY": blank}, no_keyring)
    assert caught.value.cause == "no key"


def test_a_key_in_the_place_of_the_variables_name_is_not_repeated() -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_key(Settings(api_key_env="sk-oops-12345"), DASHSCOPE, {}, no_keyring)
    assert "oops" not in str(caught.value)


def test_a_key_shows_itself_nowhere() -> None:
    key = Key("sk-secret", "keyring")
    assert "secret" not in f"{key} {key!r} {[key]} {key!s}"
    assert "keyring" in str(key)


@pytest.mark.parametrize(
    "module",
    [
        pytest.param(None, id="not installed"),
        pytest.param(types.SimpleNamespace(get_password=lambda *_: 1 / 0), id="fails"),
        pytest.param(types.SimpleNamespace(), id="is another module"),
    ],
)
def test_a_keyring_that_fails_is_no_keyring(monkeypatch: pytest.MonkeyPatch, module) -> None:
    monkeypatch.setitem(sys.modules, "keyring", module)
    assert read_keyring("qwen-ls", "dashscope") is None


def test_a_keyring_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.SimpleNamespace(get_password=lambda service, user: f"{service}/{user}")
    monkeypatch.setitem(sys.modules, "keyring", module)
    assert read_keyring("qwen-ls", "dashscope") == "qwen-ls/dashscope"
