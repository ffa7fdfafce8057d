"""Which images leave the machine: files of the workspace that are images, https addresses, nothing else."""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path

import pytest

from qwen_ls import images
from qwen_ls.backend.connect import connect
from qwen_ls.core.types import Completion, TriggerKind
from qwen_ls.images import image_type, load_image
from qwen_ls.service import CompletionService
from qwen_ls.settings import Settings
from tests.fake_dashscope import FakeDashScope
from tests.marked import marked

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
SENT = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """work/docs/a.md, images around it, and one outside of the workspace."""
    (tmp_path / "work/docs/img").mkdir(parents=True)
    (tmp_path / "work/.ssh").mkdir()
    for name in ("docs/cat.png", "docs/img/my cat.png", "top.png", ".ssh/cat.png", "id_rsa.png"):
        (tmp_path / "work" / name).write_bytes(PNG)
    (tmp_path / "outside.png").write_bytes(PNG)
    (tmp_path / "work/docs/notes.png").write_bytes(b"text, and a secret")
    return tmp_path / "work"


def uri(work: Path) -> str:
    return (work / "docs/a.md").as_uri()


@pytest.mark.parametrize(
    "address",
    [
        "cat.png",
        "./cat.png",
        "img/my%20cat.png",
        "img/my cat.png",
        "../top.png",
        "/docs/cat.png",
        "cat",
        "cat.png?raw=true",
        "cat.png#left",
        "img/my%20cat.png?v=1#x",
    ],
)
def test_files_of_the_workspace_are_sent(work: Path, address: str) -> None:
    assert load_image(address, uri(work), (work,)) == SENT


def test_a_file_address_is_a_file(work: Path) -> None:
    assert load_image((work / "docs/cat.png").as_uri(), uri(work), (work,)) == SENT


def test_without_a_workspace_it_is_the_documents_own_folder(work: Path) -> None:
    assert load_image("cat.png", uri(work)) == SENT
    assert load_image("../top.png", uri(work)) is None


def test_a_cell_of_a_notebook_is_where_the_notebook_is(work: Path) -> None:
    cell = f"vscode-notebook-cell:{(work / 'docs/a.ipynb').as_posix()}#W0"
    assert load_image("cat.png", cell, (work,)) == SENT


def test_an_untitled_document_has_the_workspace_only(work: Path) -> None:
    assert load_image("docs/cat.png", "untitled:Untitled-1", (work,)) == SENT
    assert load_image("docs/cat.png", "untitled:Untitled-1") is None


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("../../outside.png", id="outside"),
        pytest.param("..%2f..%2foutside.png", id="outside, encoded"),
        pytest.param("missing.png", id="missing"),
        pytest.param("img", id="a folder"),
        pytest.param("notes.png", id="no image"),
        pytest.param("../.ssh/cat.png", id="denied folder"),
        pytest.param("../id_rsa.png", id="denied name"),
        pytest.param("http://h.example/cat.png", id="http"),
        pytest.param("ftp://h.example/cat.png", id="ftp"),
        pytest.param("//h.example/cat.png", id="another machine"),
        pytest.param(r"\\h.example\share\cat.png", id="another machine's share"),
        pytest.param("file://h.example/share/cat.png", id="another machine's file"),
        pytest.param("?raw=true", id="a query alone"),
        pytest.param("data:image/png;base64,AAAA", id="data"),
        pytest.param("https://me:secret@h.example/cat.png", id="credentials"),
        pytest.param("https:///cat.png", id="no host"),
        pytest.param("https://h.example/a b.png", id="no address"),
        pytest.param("https://h.example/" + "a" * 3000, id="too long"),
        pytest.param("https://[", id="unreadable"),
        pytest.param("cat\0.png", id="zero byte"),
        pytest.param("", id="empty"),
        pytest.param("a" * 5000, id="too long a name"),
    ],
)
def test_nothing_else_is(work: Path, address: str) -> None:
    assert load_image(address, uri(work), (work,)) is None


def test_the_users_globs_count(work: Path) -> None:
    assert load_image("cat.png", uri(work), (work,), ("docs/*.png",)) is None


@needs_links
def test_a_link_leads_nowhere_else(work: Path) -> None:
    (work / "docs/link.png").symlink_to(work.parent / "outside.png")
    (work / "docs/denied.png").symlink_to(work / "id_rsa.png")
    (work / "docs/fine.png").symlink_to(work / "top.png")
    (work / "docs/loop.png").symlink_to(work / "docs/loop.png")
    (work / "docs/up").symlink_to(work.parent)
    for name in ("link.png", "denied.png", "loop.png", "up/outside.png"):
        assert load_image(name, uri(work), (work,)) is None
    assert load_image("fine.png", uri(work), (work,)) == SENT


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_is_not_waited_for(work: Path) -> None:
    os.mkfifo(work / "docs/pipe.png")
    assert load_image("pipe.png", uri(work), (work,)) is None


def test_a_large_file_stays(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_BYTES", len(PNG) - 1)
    assert load_image("cat.png", uri(work), (work,)) is None
    monkeypatch.setattr(images, "MAX_BYTES", len(PNG))
    assert load_image("cat.png", uri(work), (work,)) == SENT


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBP", "image/webp"),
        (b"RIFF\0\0\0\0WAVE", None),
        (b"<svg>", None),
        (b"", None),
    ],
)
def test_the_bytes_say_what_it_is(data: bytes, kind: str | None) -> None:
    assert image_type(data) == kind


# --- through the service -----------------------------------------------------------------------------------

HTTPS = "https://img.example/cat.png"


async def sent(fake: FakeDashScope, work: Path, picture: str, **values: object) -> tuple[list, dict]:
    """The user message's parts as the fake received them, and the request's story."""
    defaults = {"base_url": fake.compat_url, "model": "qwen3-vl-flash", "images": True, "debounce_ms": 0}
    service = CompletionService(
        Settings(**defaults | values),
        connect=lambda settings: connect(settings, environ={"DASHSCOPE_API_KEY": "sk-test"}),
    )
    service.roots = (work,)
    fake.answer = "a sofa"
    document, offset = marked(picture, language="markdown", uri=uri(work))
    try:
        shown = await service.complete(document, offset, TriggerKind.AUTOMATIC)
    finally:
        await service.aclose()
    assert isinstance(shown, Completion)
    assert shown.text == "a sofa"
    (request,) = fake.requests
    content = (request.body.get("input") or request.body)["messages"][0]["content"]
    return content, service.explain()


@pytest.mark.parametrize(("address", "url"), [("cat.png", SENT), (HTTPS, HTTPS)], ids=["file", "https"])
@pytest.mark.parametrize("streaming", ["auto", "off"])
async def test_the_image_is_shown_to_a_model_that_sees(fake, work, address, url, streaming) -> None:
    content, story = await sent(fake, work, f"![A cat on █]({address})\n", streaming=streaming)
    assert content[0] == {"type": "image_url", "image_url": {"url": url}}
    assert content[1]["type"] == "text"
    assert story["image"] == "sent"


@pytest.mark.parametrize(("address", "url"), [("cat.png", SENT), (HTTPS, HTTPS)], ids=["file", "https"])
async def test_the_native_protocol_has_its_own_words_for_it(fake, work, address, url) -> None:
    content, _ = await sent(fake, work, f"![Cat]({address})\n\nThe cat lies on █", protocol="dashscope")
    assert content[0] == {"image": url}
    assert set(content[1]) == {"text"}


@pytest.mark.parametrize(
    ("picture", "values"),
    [
        pytest.param("![Cat](cat.png)\n\nThe cat lies on █", {"images": False}, id="off"),
        pytest.param("![Cat](cat.png)\n\nThe cat lies on █", {"model": "qwen-plus"}, id="a blind model"),
        pytest.param("![Cat](../../outside.png)\n\nThe cat lies on █", {}, id="not allowed"),
        pytest.param("The cat lies on █", {}, id="no image"),
    ],
)
async def test_otherwise_only_text_is_sent(fake, work, picture, values) -> None:
    content, _ = await sent(fake, work, picture, **values)
    assert isinstance(content, str)


@pytest.mark.parametrize(
    ("tokens", "shown"), [pytest.param(1300, False, id="too few"), pytest.param(2000, True, id="enough")]
)
async def test_an_image_counts_against_the_limits(fake, work, tokens, shown) -> None:
    """It is most of what such a call costs: it is reserved before the call."""
    service = CompletionService(
        Settings(
            base_url=fake.compat_url, model="qwen3-vl-flash", images=True, limits={"tokens_per_day": tokens}
        ),
        connect=lambda settings: connect(settings, environ={"DASHSCOPE_API_KEY": "sk-test"}),
    )
    service.roots = (work,)
    document, offset = marked("![A cat on █](cat.png)\n", language="markdown", uri=uri(work))
    try:
        found = await service.complete(document, offset, TriggerKind.INVOKED)
    finally:
        await service.aclose()
    assert isinstance(found, Completion) is shown
    assert len(fake.requests) == shown
