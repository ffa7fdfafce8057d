"""Which files imports may mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ls.core.retrieval.imports import imports_of

LANGUAGES = ["python", "typescript", "go", "rust", "c", "java", "kotlin", "vue"]


@pytest.mark.parametrize(
    ("language", "path", "text", "candidate"),
    [
        pytest.param("python", "app/a.py", "import shop.orders", "shop/orders.py", id="python: module"),
        pytest.param("python", "app/a.py", "import shop.orders as o", "src/shop/orders.py", id="python: src"),
        pytest.param("python", "app/a.py", "import sibling", "app/sibling.py", id="python: beside"),
        pytest.param("python", "a.py", "from shop import Order", "shop/__init__.py", id="python: package"),
        pytest.param("python", "a.py", "from shop import orders", "shop/orders.py", id="python: submodule"),
        pytest.param("python", "p/q/a.py", "from . import b", "p/q/b.py", id="python: from ."),
        pytest.param("python", "p/q/a.py", "from .b import c", "p/q/b.py", id="python: from .b"),
        pytest.param("python", "p/q/a.py", "from ..b import c", "p/b.py", id="python: from ..b"),
        pytest.param("python", "a.py", "from b import (\n  c,  # one\n  d,\n)", "b.py", id="python: lines"),
        pytest.param("python", "a.py", "if TYPING:\n    from b import c", "b.py", id="python: indented"),
        pytest.param("typescript", "src/a.ts", "import { b } from './b';", "src/b.ts", id="ts"),
        pytest.param("typescript", "src/a.ts", "import '../lib/b.js'", "lib/b.ts", id="ts: .js is .ts"),
        pytest.param("typescript", "src/a.ts", "import * as b from './b'", "src/b/index.ts", id="ts: index"),
        pytest.param("typescript", "app/x/a.ts", "import b from '@/b'", "src/b.ts", id="ts: @"),
        pytest.param("typescript", "a.ts", "export * from './b'", "b.ts", id="ts: export"),
        pytest.param("javascript", "a.js", "const b = require('./b')", "b.js", id="js: require"),
        pytest.param("javascript", "a.js", "const b = await import('./b.mjs')", "b.mjs", id="js: import()"),
        pytest.param("javascript", "a.js", "import './b.css'", "b.css", id="js: for its effect"),
        pytest.param("go", "cmd/a.go", 'import "x.example/shop/orders"', "orders/", id="go"),
        pytest.param(
            "go", "a.go", 'import (\n\t"fmt"\n\to "x.example/shop/in/o"\n)', "in/o/", id="go: many"
        ),
        pytest.param("rust", "src/main.rs", "mod orders;", "src/orders.rs", id="rust: mod"),
        pytest.param("rust", "src/shop.rs", "pub mod orders;", "src/shop/orders.rs", id="rust: mod below"),
        pytest.param("rust", "src/a/mod.rs", "mod b;", "src/a/b/mod.rs", id="rust: mod.rs"),
        pytest.param("rust", "src/a/b.rs", "use crate::shop::Order;", "src/shop.rs", id="rust: crate"),
        pytest.param("rust", "src/a/b.rs", "use super::c::{D, E};", "src/a/c.rs", id="rust: super"),
        pytest.param("c", "src/a.c", '#include "b.h"', "src/b.h", id="c: beside"),
        pytest.param("cpp", "src/a.cpp", '#include "shop/b.hpp"', "include/shop/b.hpp", id="c: include"),
        pytest.param("java", "src/main/java/x/A.java", "import y.B;", "src/main/java/y/B.java", id="java"),
        pytest.param(
            "java", "src/x/A.java", "import static x.B.make;", "src/x/B.java", id="java: static"
        ),
        pytest.param("kotlin", "src/x/A.kt", "import x.B", "src/x/B.kt", id="kotlin"),
    ],
)  # fmt: skip
def test_candidates(language: str, path: str, text: str, candidate: str) -> None:
    found = imports_of(text, language, path, go_module="x.example/shop")
    assert candidate in [path for one in found for path in one.candidates]


@pytest.mark.parametrize(
    ("language", "text", "names"),
    [
        ("python", "from b import c, d as e", {"c", "d"}),
        ("python", "from b import *", set()),
        ("python", "import b.c as x", {"x"}),
        ("typescript", "import type { B, C as D } from './b'", {"B", "C"}),
        ("typescript", "import x, { y } from './b'", {"y"}),
        ("typescript", "import x from './b'", set()),
        ("rust", "use crate::b::{C, D};", {"C", "D"}),
        ("java", "import x.b.B;", {"B"}),
    ],
)
def test_names(language: str, text: str, names: set[str]) -> None:
    assert names in [set(one.names) for one in imports_of(text, language, "src/a.x")]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        pytest.param("typescript", "import React from 'react'", id="a package"),
        pytest.param("go", 'import "fmt"', id="the standard library"),
        pytest.param("c", "#include <stdio.h>", id="a system header"),
        pytest.param("rust", "use std::fmt;", id="another crate"),
        pytest.param("python", "# import b", id="a comment"),
        pytest.param("sql", "import b", id="a language without rules"),
    ],
)
def test_what_means_no_file_here(language: str, text: str) -> None:
    assert imports_of(text, language, "src/a.x", go_module="x.example/shop") == []


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", "from ...... import x"),
        ("typescript", "import x from '../../../../etc/passwd'"),
        ("typescript", "import x from './/etc/passwd'"),
        ("c", '#include "/etc/passwd"'),
        ("c", '#include "../../../etc/passwd"'),
        ("go", 'import "x.example/shop/../../etc"'),
        ("rust", "use super::super::super::super::x::Y;"),
    ],
)
def test_no_candidate_leads_out_of_the_workspace(language: str, text: str) -> None:
    for one in imports_of(text, language, "src/a.x", go_module="x.example/shop"):
        assert not any(path.startswith(("/", "..")) for path in one.candidates)


@given(
    st.sampled_from(LANGUAGES),
    st.text(alphabet="import from use mod \"'./{}()<>;\n,*@#:crateself", max_size=200),
)
def test_no_text_makes_it_raise(language: str, text: str) -> None:
    for one in imports_of(text, language, "src/a.x", go_module="m"):
        assert not any(path.startswith(("/", "..")) for path in one.candidates)
