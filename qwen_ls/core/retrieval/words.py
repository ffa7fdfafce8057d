"""What code is compared by: the words inside of its names. Pure.

`parseHTTPHeader` and `parse_http_headers` share two words. What every file of a language has is left out.
"""

from __future__ import annotations

import re
from collections import Counter

_WORD = re.compile(r"[A-Z]{2,}(?![a-z])|[A-Z]?[a-z]+|[\u3040-\u30ff\u3400-\u9fff]|[^\W\d_A-Za-z]+")
_STOP = frozenset(
    """
    a an and any are as async await be boolean break by bool byte case catch char class const continue def
    default del delete do double elif else elsif end enum except export extends false final finally float fn
    for from func function global go goto if impl implements import in include int interface is it lambda
    let list long map match mod module mut new nil none not null num number object of on or override package
    pass private protected pub public raise return self short signed static str string struct super switch
    template then this throw throws to trait true try type typedef typename undefined unsigned use using
    val var virtual void when where while with yield the that
    """.split()  # noqa: SIM905 - a hundred quoted words are harder to read
)
LINE_CHARS = 400
"""Longer lines are looked at this far: minified code must not cost more than a page of it."""


def words(line: str) -> list[str]:
    """The words of a line, in lower case, repeated as often as they occur."""
    found = (word.lower() for word in _WORD.findall(line[:LINE_CHARS]))
    return [word for word in found if len(word) > 1 or not word.isascii() if word not in _STOP]


def bag(text: str) -> Counter[str]:
    """How often each word occurs in a text."""
    counts: Counter[str] = Counter()
    for line in text.splitlines():
        counts.update(words(line))
    return counts


_FAMILIES = (
    {"python", "cython", "jupyter"},
    {"javascript", "javascriptreact", "typescript", "typescriptreact", "vue", "svelte", "astro"},
    {"c", "cpp", "objective-c", "objective-cpp", "cuda-cpp", "cuda"},
    {"java", "kotlin", "scala", "groovy"},
    {"css", "scss", "less", "sass"},
    {"html", "xml", "vue", "svelte", "handlebars"},
    {"shellscript", "bash", "zsh", "sh"},
    {"csharp", "fsharp", "vb"},
)


def are_relatives(one: str, other: str) -> bool:
    """Whether documents of two language ids can help with one another."""
    return one == other or any(one in family and other in family for family in _FAMILIES)
