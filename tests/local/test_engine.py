"""The engines: how they are started, and what their ends mean."""

from __future__ import annotations

import pytest

from qwen_ls.local import engine
from qwen_ls.local.engine import Engine, diagnose


@pytest.mark.parametrize(
    ("code", "log", "said"),
    [
        (1, "srv start: couldn't bind HTTP server socket", "port"),
        (-4, "", "processor lacks instructions"),
        (132, "", "processor lacks instructions"),
        (0xC000001D, "", "processor lacks instructions"),
        (-9, "", "out of memory"),
        (137, "", "out of memory"),
        (1, "ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer", "out of memory"),
        (1, "terminate called after throwing an instance of 'std::bad_alloc'", "out of memory"),
        (1, "gguf_init_from_reader: failed to read key-value pairs", "cannot read the model file"),
        (1, "llama_model_load: error loading model: invalid magic", "cannot read the model file"),
        (
            1,
            "ImportError: libgomp.so.1: cannot open shared object file: No such file or directory",
            "libgomp.so.1",
        ),
        (-11, "the end\n", "signal 11): the end"),
        (3, "", "exit code 3): it said nothing"),
        (0xC0000005, "", "exit code 3221225477"),
    ],
)
def test_an_end_is_put_into_words(code, log, said):
    """Whatever the engine and the system say, the user reads one sentence."""
    assert said in diagnose(code, log).message


def test_only_a_taken_port_is_tried_again():
    """Another port does not mend a damaged file."""
    assert diagnose(1, "couldn't bind HTTP server socket").port_taken
    assert not diagnose(1, "invalid magic").port_taken


def test_the_key_is_not_on_the_command_line(monkeypatch):
    """Other users can read command lines; the environment is the user's own."""
    monkeypatch.setenv("LLAMA_ARG_HOST", "0.0.0.0")
    line = engine.command(
        Engine("llama-server", "/bin/llama-server"), weights="/w", name="n", port=1234, threads=2
    )
    assert line[line.index("--host") + 1] == "127.0.0.1"
    assert "--api-key" not in line
    environment = engine.environment("secret")
    assert environment["LLAMA_API_KEY"] == "secret"
    assert "LLAMA_ARG_HOST" not in environment, "the user's own settings are for another server"
    assert environment["OMP_WAIT_POLICY"] == "passive"


def test_a_program_on_the_path_is_preferred(fake_engine):
    """The user's own build suits the machine better than the wheel."""
    assert engine.available()[0] == Engine("llama-server", str(fake_engine("well")))


def test_there_is_at_least_one_core():
    """Whatever the platform tells."""
    assert engine.physical_cores() >= 1
