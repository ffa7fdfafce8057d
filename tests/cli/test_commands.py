"""`complete`, `config` and `doctor`, whole, against a real HTTP endpoint that is a fake."""

import json

import pytest

from tests.fake_dashscope import FakeDashScope

KEY = "sk-test"


@pytest.fixture
def fake(monkeypatch):
    """An endpoint, and an environment in which the command asks it."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)
    with FakeDashScope.in_thread(answer="a + b") as made:
        monkeypatch.setenv("QWEN_LS_BASE_URL", made.compat_url)
        yield made


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "add.py"
    path.write_text("def add(a, b):\n    return \n", "utf-8")
    return path


def test_complete_prints_the_suggestion_and_nothing_else(qwen_ls, fake, source):
    done = qwen_ls("complete", f"{source}:2:12")
    assert (done.returncode, done.stdout, done.stderr) == (0, "a + b", "")
    assert fake.requests[-1].prefix.endswith("def add(a, b):\n    return ")


def test_complete_as_json_says_where_it_came_from(qwen_ls, fake, source):
    done = qwen_ls("complete", f"{source}:2:12", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["text"] == "a + b"
    assert found["start"] == found["end"] == {"line": 2, "column": 12}
    assert (found["source"], found["strategy"]) == ("network", "fim")
    assert found["model"] == "qwen-coder-turbo"
    assert found["latency_ms"] > 0
    assert found["usage"]["completion_tokens"] > 0


def test_complete_does_not_even_read_a_denied_file(qwen_ls, fake, tmp_path):
    (tmp_path / ".env").mkdir()  # reading it would fail, and say so
    done = qwen_ls("complete", f"{tmp_path / '.env'}:1:1")
    assert done.returncode == 1
    assert "deny list" in done.stderr
    assert not fake.requests


def test_complete_reads_stdin(qwen_ls, fake):
    done = qwen_ls("complete", "-", "--language", "python", stdin="def add(a, b):\n    return ")
    assert (done.returncode, done.stdout) == (0, "a + b"), done.stderr
    done = qwen_ls("complete", "-:1:5", stdin="x = ")
    assert (done.returncode, done.stdout) == (0, "a + b"), done.stderr


def test_complete_explains_what_the_prompt_showed_of_the_open_files(qwen_ls, fake, source):
    (source.parent / ".qwen-ls.toml").touch()  # the project's top
    other = source.with_name("adder.py")
    other.write_text("def add_all(a, b):\n    total = a + b\n    return total\n", "utf-8")
    done = qwen_ls("complete", f"{source}:2:12", "--open", str(other), "--open", ".env", "--explain")
    assert done.returncode == 0, done.stderr
    assert "| adder.py | open |" in done.stdout
    assert "total = a + b" in fake.requests[-1].body["prompt"]


def test_complete_takes_the_projects_own_settings(qwen_ls, fake, source):
    (source.parent / ".qwen-ls.toml").write_text('strategy = "partial"\n', "utf-8")
    done = qwen_ls("complete", f"{source}:2:12", "--json")
    assert json.loads(done.stdout)["strategy"] == "partial", done.stderr


def test_complete_without_a_key_is_exit_code_2(qwen_ls, source):
    done = qwen_ls("complete", f"{source}:2:12")
    assert (done.returncode, done.stdout) == (2, "")
    assert "There is no key for DashScope. Set the environment variable DASHSCOPE_API_KEY" in done.stderr
    assert done.stderr.count("\n") == 1


def test_complete_with_a_wrong_key_is_exit_code_3(qwen_ls, fake, source, monkeypatch):
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-wrong")
    done = qwen_ls("complete", f"{source}:2:12")
    assert (done.returncode, done.stdout) == (3, "")
    assert "key" in done.stderr
    assert "sk-wrong" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_complete_with_nothing_to_say_is_exit_code_1(qwen_ls, fake, source):
    fake.answer = ""
    done = qwen_ls("complete", f"{source}:2:12")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("qwen-ls: no suggestion: ")


def test_complete_never_reads_what_is_on_the_deny_list(qwen_ls, fake, tmp_path):
    path = tmp_path / ".env"
    path.write_text("TOKEN=", "utf-8")
    done = qwen_ls("complete", f"{path}:1:7")
    assert done.returncode == 1
    assert "deny list" in done.stderr
    assert not fake.requests


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("regoin=beijing", "Did you mean region?"),
        ("region=mars", "allowed: one of beijing"),
        ("region", "--set wants KEY=VALUE"),
    ],
)
def test_wrong_settings_on_the_command_line_are_exit_code_2(qwen_ls, word, said):
    done = qwen_ls("config", "--set", word)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_config_says_where_each_value_came_from(qwen_ls, monkeypatch, tmp_path):
    (tmp_path / "config.toml").write_text(
        'region = "singapore"\n[extra_headers]\nx-auth = "hunter2"\nx-gate = "hunter2"\n', "utf-8"
    )
    monkeypatch.setenv("QWEN_LS_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("QWEN_LS_SEED", "7")
    monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)
    done = qwen_ls("config", "--json", "--set", "maxLines=3", "--set", "top_p=0.5")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    rows = {key: (row["value"], row["origin"]) for key, row in shown["settings"].items()}
    assert rows["region"] == ("singapore", str(tmp_path / "config.toml"))
    assert rows["seed"] == (7, "environment")
    assert rows["maxLines"] == (3, "--set")
    assert rows["topP"] == (0.5, "--set")
    assert rows["streaming"] == ("auto", "default")
    assert rows["extraHeaders"][0] == {"x-auth": "•••", "x-gate": "•••"}
    assert shown["key"] == "from the environment variable DASHSCOPE_API_KEY"
    assert KEY not in done.stdout
    assert "hunter2" not in done.stdout


def test_config_shows_no_secret_in_any_form(qwen_ls, monkeypatch):
    secrets = {
        "QWEN_LS_BASE_URL": "https://user:hunter2@example.com/v1?api_key=hunter3",
        "QWEN_LS_EXTRA_BODY": '{"nested": {"session_token": "hunter4"}, "list": ["sk-hunter5abcdefgh"]}',
        "QWEN_LS_EXTRA_HEADERS": '{"Authorization": "Bearer hunter6", "x": "Bearer hunter7"}',
        "DASHSCOPE_API_KEY": "sk-hunter8",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    for words in ([], ["--json"]):
        done = qwen_ls("config", *words)
        assert "hunter" not in done.stdout + done.stderr
        assert "example.com" in done.stdout


def test_config_problems_are_told_and_exit_code_2(qwen_ls, monkeypatch):
    monkeypatch.setenv("QWEN_LS_REGION", "mars")
    done = qwen_ls("config")
    assert done.returncode == 2
    assert "region" in done.stderr
    assert "beijing" in done.stdout, "the settings in force are shown all the same"


def test_config_schema_is_a_schema(qwen_ls):
    done = qwen_ls("config", "--schema")
    assert done.returncode == 0
    schema = json.loads(done.stdout)
    assert schema["properties"]["region"]["enum"][0] == "beijing"
