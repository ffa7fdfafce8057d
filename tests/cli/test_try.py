"""`qwen-ls try` as a command: what it opens, what it asks, when it uses the local model."""

import sys

import pytest

from qwen_ls.commands import CommandError, playground, preparation
from qwen_ls.commands.playground import opened
from tests.fake_dashscope import FakeDashScope


@pytest.fixture
def played(monkeypatch):
    """What would be shown, in place of showing it."""
    seen = {}
    monkeypatch.setattr(
        preparation, "get_local_ready", lambda settings, **_: seen.update(ready=settings.provider)
    )
    monkeypatch.setattr(
        playground,
        "play",
        lambda shown, options, plain: seen.update(shown=shown, options=options, plain=plain) or 0,
    )
    return seen


def run(*words):
    from qwen_ls import cli

    return playground.run(cli.build_parser().parse_args(["try", *words]))


def test_without_a_key_it_uses_the_local_model_and_says_so(played, capsys):
    assert run("--plain") == 0
    assert "No key found: using the local model Qwen2.5-Coder-0.5B on this machine" in capsys.readouterr().err
    assert played["options"] == {"provider": "local"}
    assert played["ready"] == "local"
    assert "Set DASHSCOPE_API_KEY" in played["shown"].notice


def test_with_a_key_it_uses_dashscope(played, monkeypatch, capsys):
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-test")
    assert run("--plain", "--set", "debounceMs=0") == 0
    assert capsys.readouterr().err == ""
    assert played["options"] == {"debounce_ms": "0"}
    assert played["ready"] == "dashscope"


def test_another_provider_is_left_alone(played, monkeypatch):
    monkeypatch.setenv("QWEN_LS_PROVIDER", "llama.cpp")
    assert run("--plain") == 0
    assert played["ready"] == "llama.cpp"
    assert "provider" not in played["options"]


def test_without_prompt_toolkit_it_names_the_extra(played, monkeypatch):
    monkeypatch.setitem(sys.modules, "prompt_toolkit", None)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    with pytest.raises(CommandError, match=r"pip install 'qwen-ls\[try\]'"):
        run()
    assert run("--plain") == 0


def test_files(tmp_path):
    path = tmp_path / "mine.go"
    path.write_bytes(b"a\r\nb\r\n\r\n")
    shown = opened.open_file(str(path))
    assert (shown.text, shown.cursors, shown.eol, shown.language_id) == ("a\nb\n\n", (3,), "\r\n", "go")
    assert opened.open_file(str(tmp_path / "new.py")).text == ""
    with pytest.raises(CommandError, match="there is no folder"):
        opened.open_file(str(tmp_path / "no" / "new.py"))
    with pytest.raises(CommandError, match="is a folder"):
        opened.open_file(str(tmp_path))


def test_the_whole_way_through_a_real_server(qwen_ls, monkeypatch):
    """Plain, against the fake endpoint: command, server process, HTTP and back."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-test")
    with FakeDashScope.in_thread(answer="made_up()") as fake:
        monkeypatch.setenv("QWEN_LS_BASE_URL", fake.compat_url)
        done = qwen_ls("try", "--plain")
        assert done.returncode == 0, done.stderr
        assert "⟦made_up()⟧" in done.stdout
        assert "fim, qwen-coder-turbo, " in done.stdout
        assert "tokens, from the model" in done.stdout
        monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-wrong")
        done = qwen_ls("try", "--plain")
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
