"""Settings: sources, precedence, checks, and what the user reads when something is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.settings import OPTIONS, Settings, as_json, camel, json_schema, snake
from qwen_ls.sources import PROJECT_FILE, load
from qwen_ls.validation import check


@pytest.fixture
def place(tmp_path: Path) -> Any:
    """Write files, set variables, load."""

    class Place:
        environ: ClassVar[dict[str, str]] = {"QWEN_LS_CONFIG": str(tmp_path / "config.toml")}

        def user(self, text: str) -> None:
            (tmp_path / "config.toml").write_text(text, "utf-8")

        def project(self, text: str) -> None:
            (tmp_path / PROJECT_FILE).write_text(text, "utf-8")

        def load(self, **more: Any) -> Any:
            environ = self.environ | more.pop("environ", {})
            return load(workspace=tmp_path, environ=environ, **more)

    return Place()


def test_without_sources_all_is_default(place: Any) -> None:
    loaded = place.load()
    assert loaded.settings == Settings()
    assert not loaded.problems
    assert not loaded.origins


def test_later_sources_win(place: Any) -> None:
    """Defaults < user's file < project's file < environment < initializationOptions < configuration."""
    layers: list[dict[str, Any]] = [
        {"initialization_options": None},
        {"environ": {"QWEN_LS_MAX_LINES": "3"}},
        {"initialization_options": {"maxLines": 4}},
        {"configuration": {"maxLines": 5}},
    ]
    assert place.load().settings.max_lines is None
    place.user("max_lines = 1")
    assert place.load().settings.max_lines == 1
    place.project("max_lines = 2")
    merged: dict[str, Any] = {}
    for expected, layer in enumerate(layers, start=2):
        merged |= layer
        assert place.load(**merged).settings.max_lines == expected


def test_origins_name_the_source(place: Any) -> None:
    place.project("prompt_tokens = 1000")
    loaded = place.load(environ={"QWEN_LS_MODEL": "m"})
    assert loaded.origins["model"] == "environment"
    assert loaded.origins["prompt_tokens"].endswith(PROJECT_FILE)


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_a_project_may_set_only_what_is_marked_so(place: Any, name: str) -> None:
    allowed = {
        "enabled", "strategy", "max_tokens", "max_lines", "debounce_ms", "prompt_tokens", "trigger",
        "languages", "exclude", "context_share", "look_ahead", "quiet", "blocks",
    }  # fmt: skip
    assert OPTIONS[name].metadata["project"] is (name in allowed)


def test_a_project_cannot_redirect_the_key(place: Any) -> None:
    place.project('base_url = "https://evil.example/v1"\n[extra_headers]\nx = "y"')
    loaded = place.load()
    assert loaded.settings == Settings()
    assert all("a project may not set it" in str(problem) for problem in loaded.problems)
    assert len(loaded.problems) == 2


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("debounceMs", "fast", 'from 0 to 5000, or "auto"'),
        ("debounceMs", -1, "-1"),
        ("maxTokens", 1.5, "a whole number"),
        ("maxTokens", True, "a whole number"),
        ("temperature", 2.0, "from 0.0 to 1.99"),
        ("temperature", float("nan"), "temperature"),
        ("region", "bejing", "did you mean beijing"),
        ("provider", "opneai", "did you mean openai"),
        ("enabled", "maybe", "true or false"),
        ("baseUrl", "ftp://x", "begins with http"),
        ("baseUrl", "dashscope", "begins with http"),
        ("model", "", "not empty"),
        ("model", 7, "a string"),
        ("languages", [1], "a list of strings"),
        ("quiet", ["tial"], "a list of tail, word, deletion, short, dismissed"),
        ("blocks", [1], "a list of empty, comment, blank"),
        ("limits", 7, "a table of requestsPerMinute, tokensPerMinute, tokensPerDay, moneyPerDay"),
        ("limits", "{broken", "a table of requestsPerMinute"),
        ("extraHeaders", {"a": 1}, "a table"),
        ("extraHeaders", {"a": "b\r\nc: d"}, "a table"),
        ("apiKeyEnv", "sk-abc-123", "not the key itself"),
    ],
)
def test_a_wrong_value_keeps_the_default_and_is_told_with_what_is_allowed(
    key: str, value: Any, says: str
) -> None:
    good, problems = check({key: value}, source="here")
    assert not good
    [problem] = problems
    assert says in problem.text
    assert key in problem.text
    assert problem.text.startswith("here: ")
    assert "\n" not in problem.text


@pytest.mark.parametrize(
    ("value", "kept", "says"),
    [
        (
            {"requestsPerMinute": 5, "money_per_day": "2.5"},
            {"requests_per_minute": 5, "money_per_day": 2.5},
            "",
        ),
        ('{"tokensPerDay": 7}', {"tokens_per_day": 7}, ""),
        ({"tokensPerDay": None}, {}, ""),
        ({}, {}, ""),
        (
            {"requestsPerMinute": -1, "tokensPerDay": 9},
            {"tokens_per_day": 9},
            "limits.requestsPerMinute is -1; allowed: a whole number from 0 to",
        ),
        ({"requestsPerMinute": 1.5}, {}, "limits.requestsPerMinute is 1.5; allowed: a whole number"),
        ({"moneyPerDay": float("nan")}, {}, "limits.moneyPerDay is NaN; allowed: a number from 0"),
        ({"moneyPerDay": True}, {}, "limits.moneyPerDay is true"),
        ({"requestPerMinute": 3}, {}, "no setting limits.requestPerMinute. Did you mean requestsPerMinute?"),
        ({"zzz": 3}, {}, "no setting limits.zzz. There are requestsPerMinute, tokensPerMinute"),
    ],
    ids=str,
)
def test_limits_are_checked_one_by_one(value: Any, kept: dict[str, float], says: str) -> None:
    good, problems = check({"limits": value}, source="here")
    assert good == {"limits": kept}
    assert [says in problem.text for problem in problems] == [True] * bool(says)
    assert all(problem.text.startswith("here: ") for problem in problems)


def test_the_limits_of_all_sources_are_joined(place: Any) -> None:
    """An editor whose package sends an empty table must not lift what the user's file sets."""
    place.user("[limits]\nmoney_per_day = 1\ntokens_per_day = 5")
    place.project("[limits]\nmoney_per_day = 1000")
    loaded = place.load(initialization_options={"limits": {}}, configuration={"limits": {"tokensPerDay": 6}})
    assert loaded.settings.limits == {"money_per_day": 1, "tokens_per_day": 6}
    assert dict(as_json(loaded.settings))["limits"] == {"moneyPerDay": 1, "tokensPerDay": 6}
    [problem] = loaded.problems
    assert "a project may not set it" in problem.text


@pytest.mark.parametrize(
    ("key", "says"),
    [("modle", "model"), ("baseURL", "baseUrl"), ("apiKey", "apiKeyEnv"), ("zzzzqq", "qwen-ls config")],
)
def test_an_unknown_key_names_the_nearest(key: str, says: str) -> None:
    _, [problem] = check({key: "sk-topsecret"}, source="here")
    assert says in problem.text
    assert "topsecret" not in problem.text


def test_a_key_in_a_value_is_masked() -> None:
    _, [problem] = check({"apiKeyEnv": "sk-topsecret"}, source="here")
    assert "topsecret" not in problem.text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("extraHeaders", {"X-Api-Key": "topsecret", "n": 1}),
        ("extraBody", '{"token": "topsecret"'),
        ("apiKeyEnv", "topsecret-topsecret"),
        ("model", {"key": "topsecret"}),
        ("baseUrl", "htp://me:topsecret@host/v1"),
        ("baseUrl", "https://h ost/v1?api-key=topsecret"),
    ],
)
def test_no_message_shows_what_may_be_a_secret(key: str, value: Any) -> None:
    _, [problem] = check({key: value}, source="here")
    assert "topsecret" not in problem.text


def test_a_project_cannot_send_what_the_user_excludes(place: Any, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('exclude = ["private/*"]')
    (tmp_path / PROJECT_FILE).write_text('exclude = ["gen/*"]')
    assert place.load().settings.exclude == ("private/*", "gen/*")


def test_a_root_that_no_file_system_knows_is_no_more_than_a_problem() -> None:
    loaded = load(workspace=Path("/a\0b"), environ={"QWEN_LS_CONFIG": "/nonexistent", "QWEN_LS_SEED": "7"})
    assert loaded.settings.seed == 7


def test_a_table_without_end_is_a_problem() -> None:
    assert len(check({"extraBody": "[" * 200_000}, source="here")[1]) == 1


def test_null_means_not_set() -> None:
    assert check({"model": None, "maxTokens": None}, source="here") == ({}, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("QWEN_LS_ENABLED=off", {"enabled": False}),
        ("QWEN_LS_LANGUAGES=python, go", {"languages": ("python", "go")}),
        ("QWEN_LS_QUIET=Tail, word", {"quiet": ("tail", "word")}),
        ("QWEN_LS_BLOCKS=", {}),
        ("QWEN_LS_DEBOUNCE_MS=auto", {"debounce_ms": "auto"}),
        ("QWEN_LS_DEBOUNCE_MS=90", {"debounce_ms": 90}),
        ('QWEN_LS_EXTRA_BODY={"top_k": 5}', {"extra_body": {"top_k": 5}}),
        ("QWEN_LS_MODEL= ", {"model": None}),
        ("QWEN_LS_LOCAL_MODEL=/x.gguf", {}),
    ],
)
def test_the_environment_speaks_in_strings(place: Any, text: str, expected: dict[str, Any]) -> None:
    name, _, value = text.partition("=")
    loaded = place.load(environ={name: value})
    assert not loaded.problems
    for key, wanted in expected.items():
        assert getattr(loaded.settings, key) == wanted


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"max_lines = ", "not valid TOML"),
        (b"\xff\xfe", "not UTF-8"),
        (b"# " + b"x" * 300_000, "larger than"),
        (b"max_lines = " + b"9" * 5000, "not valid TOML"),
    ],
    ids=["broken", "binary", "huge", "number-without-end"],
)
def test_a_file_that_cannot_be_read_is_a_problem_and_no_more(
    place: Any, tmp_path: Path, data: bytes, says: str
) -> None:
    (tmp_path / "config.toml").write_bytes(data)
    loaded = place.load()
    assert loaded.settings == Settings()
    assert says in loaded.problems[0].text


def test_a_folder_in_the_file_s_place_is_a_problem_and_no_more(place: Any, tmp_path: Path) -> None:
    (tmp_path / PROJECT_FILE).mkdir()
    assert "cannot be read" in place.load().problems[0].text


@pytest.mark.parametrize("options", [{"qwen-ls": {"maxLines": 3}}, {"maxLines": 3}, {"max_lines": 3}])
def test_the_editor_s_options_come_bare_or_in_their_section(place: Any, options: dict[str, Any]) -> None:
    loaded = place.load(initialization_options=options)
    assert loaded.settings.max_lines == 3
    assert not loaded.problems


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from([camel(name) for name in OPTIONS]) | st.text(max_size=8), JSON, max_size=6
    )
)
def test_no_editor_can_break_the_settings(values: dict[str, Any]) -> None:
    loaded = load(
        initialization_options=values, configuration=values, environ={"QWEN_LS_CONFIG": "/nonexistent"}
    )
    assert isinstance(loaded.settings, Settings)
    json.dumps(dict(as_json(loaded.settings)), default=str)


def test_names_go_both_ways() -> None:
    for name in OPTIONS:
        assert snake(camel(name)) == name


def test_the_schema_covers_every_option_and_its_default_is_valid() -> None:
    properties = json_schema()["properties"]
    assert list(properties) == [camel(name) for name in OPTIONS]
    for key, schema in properties.items():
        assert schema["description"].endswith(".")
        if "default" in schema:
            assert check({key: schema["default"]}, source="schema")[1] == []
    json.dumps(json_schema())
