"""Which tokens a model is asked with."""

import pytest

from qwen_ls.core.templates import TEMPLATES, template_named, template_of
from qwen_ls.settings import OPTIONS


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("Qwen/Qwen2.5-Coder-7B-Instruct", "qwen"),
        ("qwen3-coder:30b", "qwen"),
        ("Qwen3-Coder-Next-Q4_K_M.gguf", "qwen"),
        ("Qwen/QwQ-32B", "qwen"),
        ("CodeQwen1.5-7B", "starcoder"),
        ("bigcode/starcoder2-3b", "starcoder"),
        ("stable-code:3b", "starcoder"),
        ("ibm-granite/granite-8b-code-base", "starcoder"),
        ("google/codegemma-2b", "codegemma"),
        ("codellama/CodeLlama-7b-hf", "codellama"),
        ("codellama:13b-code", "codellama"),
        ("deepseek-ai/deepseek-coder-6.7b-base", "deepseek"),
        ("deepseek-coder-v2:16b", "deepseek"),
        ("mistralai/Codestral-22B-v0.1", "codestral"),
        # Families and sizes that cannot do it, or whose tokens are not known.
        ("codellama/CodeLlama-34b-hf", None),
        ("codellama/CodeLlama-7b-Python-hf", None),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", None),
        ("mistralai/Mamba-Codestral-7B-v0.1", None),
        ("meta-llama/Llama-3.1-8B-Instruct", None),
        ("gpt-oss-20b", None),
        ("default", None),
        ("", None),
    ],
)
def test_a_models_family(model: str, name: str | None) -> None:
    found = template_of(model)
    assert (found and found.name) == name


@pytest.mark.parametrize("row", TEMPLATES, ids=lambda row: row.name)
def test_a_layout_holds_both_sides_and_nothing_twice(row) -> None:
    prompt = row.lay_out("BE{F}ORE", "AFT{E}R")
    assert prompt.count("BE{F}ORE") == prompt.count("AFT{E}R") == 1
    assert template_named(row.name) is row


@pytest.mark.parametrize("row", [row for row in TEMPLATES if row.tokens], ids=lambda row: row.name)
def test_tokens_in_a_file_are_plain_text(row) -> None:
    """A file about tokenizers does not break its own prompt."""
    clean, dirty = row.lay_out("x", "y"), row.lay_out("".join(row.tokens), "y")
    for token in row.tokens:
        assert dirty.count(token) == clean.count(token)


def test_the_setting_names_every_row() -> None:
    assert OPTIONS["fim_template"].metadata["choices"] == ("auto", *(row.name for row in TEMPLATES))
