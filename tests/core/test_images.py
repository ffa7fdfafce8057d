"""Which image the text at the cursor is about: `█` is the cursor."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_ls.core.context import build_context
from qwen_ls.core.images import PATTERNS, find_image
from qwen_ls.core.types import Document, TriggerKind


def found(language: str, picture: str) -> str | None:
    before, cursor, after = picture.partition("█")
    assert cursor
    document = Document("file:///project/doc", 1, language, before + after)
    return find_image(build_context(document, len(before), TriggerKind.INVOKED))


@pytest.mark.parametrize(
    ("language", "picture"),
    [
        pytest.param("markdown", "![A cat on █](cat.png)", id="alt text"),
        pytest.param("markdown", "![█](cat.png)", id="empty alt text"),
        pytest.param("markdown", '![A cat](cat.png "On █")', id="title"),
        pytest.param("markdown", "![A](<cat.png>)\n█", id="angle brackets"),
        pytest.param("markdown", "![A cat](cat.png)█", id="right after"),
        pytest.param("markdown", "![A cat](cat.png)\n\nThe picture shows █", id="the sentence below"),
        pytest.param("markdown", "![A cat](cat.png)\r\n\r\nThe picture █\r\n", id="CRLF"),
        pytest.param("markdown", "![A cat](cat.png)\n*A cat that █*", id="caption"),
        pytest.param("markdown", "![dog](dog.png)\n\nDog.\n\n![cat](cat.png)\n\nA █", id="the nearest"),
        pytest.param("markdown", "![A [small] cat █](cat.png)", id="brackets in the alt text"),
        pytest.param("markdown", "![A █][pic]\n\n[pic]: cat.png", id="reference"),
        pytest.param("markdown", "![pic][]\n█\n\n[pic]: cat.png", id="collapsed reference"),
        pytest.param("markdown", "![pic]\n█\n\n[pic]: cat.png", id="shortcut reference"),
        pytest.param("markdown", "![A cat](cat.png){width=50%}\n\nHere █", id="attributes"),
        pytest.param("quarto", "![A cat](cat.png){#fig-cat}\n█", id="quarto's label"),
        pytest.param("markdown", "[![A](cat.png)](https://h.example)\n█", id="in a link"),
        pytest.param("rst", ".. image:: cat.png\n   :alt: A █", id="Vim's and Emacs' name"),
        pytest.param("plaintex", "\\includegraphics{cat.png}\n\\caption{█", id="Vim's other TeX"),
        pytest.param("adoc", "image::cat.png[A █]", id="Emacs' AsciiDoc"),
        pytest.param("gfm", "![A █](cat.png)", id="Emacs' Markdown"),
        pytest.param("markdown", '<img src="cat.png" alt="A █">', id="HTML in Markdown"),
        pytest.param("quarto", "![A █](cat.png)", id="quarto"),
        pytest.param("html", '<img alt="A █" src="cat.png">', id="alt before src"),
        pytest.param("html", "<img src='cat.png' alt='█", id="a tag that is not closed"),
        pytest.param("html", "<IMG SRC=cat.png><p>A █", id="no quotes"),
        pytest.param(
            "html", '<figure>\n  <img src="cat.png">\n  <figcaption>A █</figcaption>', id="figcaption"
        ),
        pytest.param("restructuredtext", ".. image:: cat.png\n   :alt: A █", id="rst option"),
        pytest.param("restructuredtext", ".. figure:: cat.png\n   :width: 3\n\n   A █", id="rst caption"),
        pytest.param("restructuredtext", ".. |pic| image:: cat.png\n   :alt: █", id="rst substitution"),
        pytest.param("latex", "\\includegraphics[width=3cm]{cat.png}\n\\caption{A █}", id="latex caption"),
        pytest.param(
            "latex",
            "\\includegraphics{cat.png}\n\\caption{A cat}\n\\label{fig:cat}\n\\end{figure}\n█",
            id="after the figure",
        ),
        pytest.param("asciidoc", "image::cat.png[A █]", id="asciidoc"),
        pytest.param("asciidoc", ".A cat █\nimage::cat.png[]", id="asciidoc title"),
        pytest.param("asciidoc", "See image:cat.png[] █", id="asciidoc inline"),
    ],
)
def test_the_cursor_is_at_an_image(language: str, picture: str) -> None:
    assert found(language, picture) == "cat.png"


def test_an_address_may_have_parentheses() -> None:
    assert found("markdown", "![A █](a_(1).png)") == "a_(1).png"


@pytest.mark.parametrize(
    ("language", "picture"),
    [
        pytest.param("markdown", "█![A cat](cat.png)", id="before it"),
        pytest.param("markdown", "![A cat](ca█t.png)", id="in its address"),
        pytest.param("markdown", "![A cat](cat.png█)", id="at its address's end"),
        pytest.param("markdown", "![A cat █", id="without an address"),
        pytest.param("markdown", "![A cat](cat.png)\n\nA cat. And █", id="the second sentence"),
        pytest.param("markdown", "![A cat](cat.png)\n\n一只猫。█", id="the second Chinese sentence"),
        pytest.param("markdown", "![A cat](cat.png)\n\nA cat\n\n█", id="the second paragraph"),
        pytest.param("markdown", "![A cat](cat.png)\n\n\n\n\n█", id="far below"),
        pytest.param("markdown", "![A cat](cat.png)\n\n## Dogs and █", id="a heading between"),
        pytest.param("markdown", "![A █][pic]", id="a reference to nothing"),
        pytest.param("markdown", "[A cat █](cat.png)", id="a link"),
        pytest.param("markdown", f"![A](cat.png)\n{'word ' * 100}█", id="too long for a caption"),
        pytest.param("latex", "\\includegraphics{cat.png}\n\\section{Dogs █}", id="a section between"),
        pytest.param("python", "# ![A cat █](cat.png)", id="another language"),
        pytest.param("plaintext", "![A cat █](cat.png)", id="plain text"),
    ],
)
def test_there_is_no_image_at_the_cursor(language: str, picture: str) -> None:
    assert found(language, picture) is None


PIECES = [
    "![",
    "](",
    ")",
    "[a]",
    "<img src=",
    '"',
    ">",
    "\n",
    "\r\n",
    ".. image:: ",
    "\\includegraphics{",
    "}",
]


@settings(deadline=None)
@given(
    st.sampled_from(sorted(PATTERNS)),
    st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=40).map("".join),
    st.integers(0, 300),
)
def test_any_text_is_read(language: str, text: str, offset: int) -> None:
    document = Document("file:///a", 1, language, text)
    address = find_image(build_context(document, offset, TriggerKind.INVOKED))
    assert address is None or address in text.replace("\r\n", "\n")


@pytest.mark.parametrize("language", sorted(PATTERNS))
@pytest.mark.parametrize(
    "piece", ["![", "<img src=", "![[", ".. image:: a\n", "<img ", "image:", "\\includegraphics["]
)
def test_repetition_does_not_blow_up(language: str, piece: str) -> None:
    found(language, piece * 3000 + "█")
