"""The code of attrs' classes is compiled once, and a file that cannot be trusted is as good as none."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
from pathlib import Path

import attr
import attr._make
import pytest

from qwen_ls.lsp.codecache import compiled_once, read


def defined(path: Path, name: str = "field") -> type:
    """Define a class within the cache."""
    with compiled_once(path):
        return attr.make_class("Sample", [name])


def test_a_second_definition_compiles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cache" / "code"
    defined(path)
    compiled: list[str] = []
    genuine = builtins.compile

    def spy(*given, **more):
        compiled.append(given[1])
        return genuine(*given, **more)

    monkeypatch.setattr(builtins, "compile", spy)
    sample = defined(path)
    assert not [name for name in compiled if "attrs generated" in name]
    assert sample(field=1) == sample(field=1) != sample(field=2)


def test_code_is_found_by_its_source_alone(tmp_path: Path) -> None:
    path = tmp_path / "code"
    defined(path)
    other = defined(path, "other")
    assert other(other=1).other == 1


@pytest.mark.parametrize("damage", ["", "garbage", "cut", "flipped", "writable", "folder"])
def test_a_file_that_cannot_be_trusted_is_as_good_as_none(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "code"
    defined(path)
    data = path.read_bytes()
    changes = {
        "": b"",
        "garbage": b"\xff" * 99,
        "cut": data[:-9],
        "flipped": data[:-1] + bytes([data[-1] ^ 1]),
    }
    if damage in changes:
        path.write_bytes(changes[damage])
    elif damage == "writable":
        path.chmod(0o666)
        if os.name != "posix":
            pytest.skip("permissions are POSIX's")
    else:
        path.unlink()
        path.mkdir()
    assert read(path) == {}
    assert defined(path)(field=1).field == 1


def test_attrs_is_left_as_it_was(tmp_path: Path) -> None:
    defined(tmp_path / "code")
    assert not hasattr(attr._make, "compile")


def test_attrs_still_compiles_where_the_cache_stands_in() -> None:
    """Fails when attrs has moved: then the module `codecache` has no effect any more and can go."""
    code = """if True:
        import sys, pathlib, tempfile
        from qwen_ls.lsp.codecache import compiled_once, read
        path = pathlib.Path(tempfile.mkdtemp()) / "code"
        with compiled_once(path):
            import lsprotocol.types
        print(len(read(path)) > 400)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
