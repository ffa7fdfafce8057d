"""Places in files as people write them, and files as they come."""

import sys

import pytest

from qwen_ls.commands import CommandError, documents
from qwen_ls.commands.documents import Place


@pytest.mark.parametrize(
    ("word", "place"),
    [
        ("app.py:12:5", Place("app.py", 12, 5)),
        (r"C:\src\x.py:3:4", Place(r"C:\src\x.py", 3, 4)),
        ("a:b:1:2", Place("a:b", 1, 2)),
        ("/a b/é.py:007:1", Place("/a b/é.py", 7, 1)),
        ("<stdin>:1:1", Place("<stdin>", 1, 1)),
    ],
)
def test_places(word, place):
    assert Place.read(word) == place


@pytest.mark.parametrize("word", ["app.py", "app.py:1", ":1:2", "app.py:x:1", "app.py:1:-2", r"C:\x.py:3"])
def test_what_is_no_place(word):
    with pytest.raises(CommandError, match="FILE:LINE:COL"):
        Place.read(word)


@pytest.mark.parametrize("word", ["app.py:0:1", "app.py:1:0"])
def test_places_count_from_one(word):
    with pytest.raises(CommandError, match="count from 1"):
        Place.read(word)


@pytest.mark.parametrize(
    ("text", "line", "column", "expected"),
    [
        pytest.param("", 1, 1, 0, id="empty file"),
        pytest.param("ab\ncd", 2, 3, 5, id="end of the last line"),
        pytest.param("ab\n", 2, 1, 3, id="after the last line end"),
        pytest.param("a\r\nb\rc\nd", 3, 1, 5, id="all three line ends"),
        pytest.param("你🎉x", 1, 3, 2, id="columns are characters"),
        pytest.param("a\x0cb\u2028c\x85d", 1, 8, 7, id="nothing else ends a line"),
        pytest.param("ab", 2, 1, "has 1 line, and line 2", id="no such line"),
        pytest.param("ab\nc", 1, 4, "has 2 characters: the last column is 3", id="no such column"),
        pytest.param("ab\r\nc", 1, 4, "has 2 characters", id="not between CR and LF"),
    ],
)
def test_offset(text, line, column, expected):
    place = Place("x.py", line, column)
    if isinstance(expected, int):
        assert place.offset(text) == expected
    else:
        with pytest.raises(CommandError, match=expected):
            place.offset(text)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param("é\r\n".encode(), "é\r\n", id="line ends stay"),
        pytest.param(b"\xef\xbb\xbfx", "x", id="byte order mark"),
        pytest.param("é".encode("latin-1"), "is not UTF-8 .line 1.; save it as UTF-8", id="latin-1"),
        pytest.param("x".encode("utf-16"), "is UTF-16; save it as UTF-8", id="utf-16"),
        pytest.param(b"\x7fELF\0", "it holds zero bytes", id="binary"),
    ],
)
def test_reading(data, expected, tmp_path):
    path = tmp_path / "x.py"
    path.write_bytes(data)
    try:
        assert documents.read(str(path)) == expected
    except CommandError as failure:
        with pytest.raises(CommandError, match=expected):
            raise failure from None


def test_what_cannot_be_read(tmp_path):
    with pytest.raises(CommandError, match="there is no file"):
        documents.read(str(tmp_path / "none.py"))
    with pytest.raises(CommandError, match="is a folder"):
        documents.read(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("a/B.PY", "python"),
        ("x.tsx", "typescriptreact"),
        ("Makefile", "makefile"),
        ("py", "plaintext"),
        (".bashrc", "plaintext"),
    ],
)
def test_language(name, language):
    assert documents.language_of(name) == language


def test_uris(tmp_path):
    assert documents.uri("<stdin>") == "untitled:stdin"
    assert documents.uri(str(tmp_path / "a b.py")).startswith("file:///")
    assert documents.uri(str(tmp_path / "a b.py")).endswith("a%20b.py")
    assert sys.platform  # the drive letter's form is pathlib's own
