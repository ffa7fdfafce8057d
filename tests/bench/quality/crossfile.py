"""Holes that another file of the same package fills: made from packages that the tests' environment has.

After CrossCodeEval (Ding et al., NeurIPS 2023) and RepoBench (Liu et al., ICLR 2024): the cursor stands right
before the name of a member that a class of an imported module has, and that stands nowhere else in this file;
what is wanted is the rest of the line. So nothing but the other file, or a memory of the package, says what
comes. A copy of the packages is the workspace; the modules that the file imports first are open beside it.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import importlib.util
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from pathlib import Path, PurePosixPath

from tests.bench.quality.problems import Problem, spread

PACKAGES = {
    "pygls": "pygls",
    "cattrs": "cattrs",
    "httpx": "httpx",
    "anyio": "anyio",
    "websockets": "websockets",
    "rich": "rich",
    "prompt_toolkit": "prompt_toolkit",
    "hypothesis": "hypothesis",
    "_pytest": "pytest",
}
"""Pure Python that comes with the project, by the name that is imported: the distribution's."""
SET = "cross-file"
N_HOLES = 100
MOST_OF_PACKAGE = 14
MOST_OF_FILE = 2
MOST_OPEN = 3
"""So many files are open beside the one with the hole: the first of the package that it imports."""
MOST_CHARS = 20_000
"""Of a file: so that the bare prompt, which has all of it, fits into the engine's context."""
WANTED_CHARS = range(4, 81)
_COMMON = frozenset(
    name for kind in (str, bytes, int, float, list, dict, set, tuple, BaseException) for name in dir(kind)
) | frozenset(dir(builtins))
"""Names that Python itself has: another file need not say them."""


@dataclass(frozen=True)
class Module:
    """One file of a package."""

    path: str
    """Relative to the folder that the packages lie in."""
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax."""
        return ast.parse(self.text)

    @cached_property
    def members(self) -> frozenset[str]:
        """What its classes define: methods, fields, and what is assigned to `self`."""
        classes = (node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef))
        return frozenset(name for one in classes for node in ast.walk(one) if (name := _member(node)))


def _member(node: ast.AST) -> str:
    """The name of a class's member that a node in the class defines; empty where it does not."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return node.name
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id
    is_stored = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    return node.attr if is_stored and isinstance(node.value, ast.Name) and node.value.id == "self" else ""


@dataclass(frozen=True)
class Tree:
    """The packages' modules by path."""

    modules: dict[str, Module]
    versions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, folders: Iterable[Path]) -> Tree:
        """The modules below some packages' folders; a file that is no UTF-8 or no Python is none."""
        modules = {}
        for folder in folders:
            for file in sorted(folder.rglob("*.py"), key=lambda file: file.relative_to(folder).as_posix()):
                module = Module(file.relative_to(folder.parent).as_posix(), file.read_bytes().decode("utf-8"))
                modules[module.path] = module
        return cls(modules)

    @property
    def title(self) -> str:
        """The packages, and what names them all together."""
        return ", ".join(f"{name} {version}" for name, version in self.versions.items()) + f"; {self.digest}"

    @property
    def digest(self) -> str:
        """Names the tree: figures of two different ones cannot be compared."""
        sha = hashlib.sha256()
        for path, module in sorted(self.modules.items()):
            sha.update(f"{path}\0{module.text}\0".encode())
        return sha.hexdigest()[:12]

    def imports(self, module: Module) -> Iterator[tuple[str, str]]:
        """What a module imports from the tree: the other module's path, and the name that it has here."""
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if path := self._path(alias.name.split(".")):
                        yield path, alias.asname or alias.name.split(".")[0]
            elif isinstance(node, ast.ImportFrom):
                above = list(PurePosixPath(module.path).parts[: -node.level]) if node.level else []
                origin = above + (node.module.split(".") if node.module else [])
                for alias in node.names:
                    if path := self._path([*origin, alias.name]) or self._path(origin):
                        yield path, alias.asname or alias.name

    def _path(self, parts: list[str]) -> str:
        stem = "/".join(parts)
        return next((path for path in (f"{stem}.py", f"{stem}/__init__.py") if path in self.modules), "")

    def beside(self, module: Module) -> tuple[str, ...]:
        """The files that are open beside a module."""
        paths = dict.fromkeys(path for path, _ in self.imports(module) if path != module.path)
        return tuple(paths)[:MOST_OPEN]


def installed() -> Tree:
    """The packages of this environment.

    Raises:
        ModuleNotFoundError: one is not there.
    """
    folders = []
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(name)
        folders.append(Path(spec.origin).parent)
    versions = {name: metadata.version(name) for name in PACKAGES.values()}
    return Tree(Tree.of(folders).modules, versions)


def load(tree: Tree, n: int = N_HOLES) -> list[Problem]:
    """At most so many holes, evenly over the packages' files, of one not many."""
    found = []
    for package in dict.fromkeys(path.split("/")[0] for path in tree.modules):
        inside = [module for path, module in tree.modules.items() if path.split("/")[0] == package]
        every = [hole for module in inside for hole in spread(list(holes(module, tree)), MOST_OF_FILE)]
        found += spread(every, MOST_OF_PACKAGE)
    return spread(found, n)


def holes(module: Module, tree: Tree) -> Iterator[Problem]:
    """All holes of one file, from its top."""
    if len(module.text) > MOST_CHARS:
        return
    lines = module.text.splitlines(keepends=True)
    beside = tree.beside(module)
    for line, column in sorted(_uses(module, tree)):
        text = lines[line]
        rest = text[column:].rstrip()
        if len(rest) not in WANTED_CHARS or set(rest) & set("\"'#\\") or not text.isascii():
            continue
        at = sum(map(len, lines[:line])) + column
        yield Problem(
            id=f"{module.path}:{line + 1}:{column + 1}",
            before=module.text[:at],
            after=module.text[at + len(rest) :],
            wanted=rest,
            path=module.path,
            beside=beside,
        )


def _uses(module: Module, tree: Tree) -> Iterator[tuple[int, int]]:
    """Line and column, from 0, of each member's name that only an imported module explains."""
    words = Counter(re.findall(r"\w+", module.text))
    imported = list(tree.imports(module))
    members = frozenset().union(*(tree.modules[path].members for path, _ in imported)) - _COMMON
    foreign = _foreign(module, {name for _, name in imported})
    for node in _outside_strings(module.tree):
        if not isinstance(node, ast.Attribute) or node.attr.startswith("__") or words[node.attr] > 1:
            continue
        if node.attr in members - module.members and _root(node) not in foreign:
            yield (node.end_lineno or 0) - 1, (node.end_col_offset or 0) - len(node.attr)


def _foreign(module: Module, ours: set[str]) -> set[str]:
    """The names that a module imports from outside of the tree."""
    found = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return found - ours


def _root(node: ast.expr) -> str:
    """The name that a chain of attributes and calls begins with."""
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _outside_strings(node: ast.AST) -> Iterator[ast.AST]:
    """Everything but what stands in a formatted string, whose places differ between versions of Python."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.JoinedStr):
            yield child
            yield from _outside_strings(child)


def lay_out(tree: Tree, folder: Path) -> None:
    """Write the packages into a folder: the workspace."""
    for path, module in tree.modules.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(module.text.encode("utf-8"))
