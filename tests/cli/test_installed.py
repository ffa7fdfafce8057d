"""What is tested is what was meant to be: CI sets TESTING_WHEEL, and then it must be the installed wheel."""

import importlib.metadata
import os
from importlib.resources import files
from pathlib import Path

import pytest

import qwen_ls


@pytest.mark.skipif("TESTING_WHEEL" not in os.environ, reason="the checkout is tested, and no wheel")
def test_the_wheel_is_what_is_tested():
    assert "site-packages" in Path(qwen_ls.__file__).parts
    assert not (Path.cwd() / "qwen_ls").exists()


def test_the_version_is_the_packages():
    assert importlib.metadata.version("qwen-ls") == qwen_ls.__version__


def test_data_files_are_there():
    assert files("qwen_ls").joinpath("py.typed").is_file()
    assert files("qwen_ls").joinpath("commands/playground/sample.py.txt").is_file()
