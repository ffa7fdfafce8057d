"""Which files a document's imports may mean, where the path follows from simple rules. Pure.

Nothing here looks at a disk: an import gives candidates, and the first one that exists is meant.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

SEARCHED_CHARS = 24_000
"""Imports stand at the top: this much of a document is searched for them."""
MOST_IMPORTS = 150


@dataclass(frozen=True, slots=True)
class Import:
    """One import of a document."""

    names: frozenset[str]
    """What it brings in, as the code calls it; empty: everything."""
    candidates: tuple[str, ...]
    """Paths relative to the workspace, the likeliest first; one that ends with `/` means a folder's files."""


def imports_of(text: str, language_id: str, path: str, *, go_module: str = "") -> list[Import]:
    """The imports of a document, in their order.

    Args:
        text: the document's beginning.
        language_id: its language.
        path: where it is, relative to the workspace, with forward slashes.
        go_module: the module's name, from `go.mod` at the workspace's top.
    """
    reader = _READERS.get(language_id)
    if reader is None:
        return []
    folder = posixpath.dirname(path)
    found = [
        Import(frozenset(names), _inside(candidates))
        for names, candidates in reader(text[:SEARCHED_CHARS], folder, path, go_module)
    ]
    return [one for one in found if one.candidates][:MOST_IMPORTS]


def _inside(candidates: list[str]) -> tuple[str, ...]:
    """The candidates in their shortest form, without those that lead out of the workspace."""
    paths = (posixpath.normpath(path) + ("/" if path.endswith("/") else "") for path in candidates)
    return tuple(dict.fromkeys(path for path in paths if not path.startswith(("../", "/", "./"))))


def _bases(folder: str, *more: str) -> list[str]:
    """The folder and those above it, up to the workspace's top, then the usual ones below that."""
    bases = [folder]
    while bases[-1]:
        bases.append(posixpath.dirname(bases[-1]))
    return list(dict.fromkeys([*bases, "src", *more]))


_Read = Iterator[tuple[list[str], list[str]]]
"""Names and candidates of one import after the other."""

_PYTHON = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<origin>[.\w]+)[ \t]+import[ \t]+(?P<names>\([^)]*\)|[^\n#;]+)"
    r"|import[ \t]+(?P<modules>[\w. ,\t]+))",
    re.MULTILINE,
)


def _python(text: str, folder: str, path: str, go_module: str) -> _Read:
    for match in _PYTHON.finditer(text):
        if match["modules"]:
            for module in match["modules"].split(","):
                name, _, alias = module.partition(" as ")
                yield [(alias or name).strip().split(".")[0]], _python_paths(name.strip(), folder)
            continue
        origin = match["origin"]
        listed = re.sub(r"#[^\n]*", "", match["names"]).strip("() \t\r\n").split(",")
        pairs = [re.split(r"\s+as\s+", name.strip()) for name in listed if name.strip()]
        for pair in pairs:
            inner = f"{origin}{'' if origin.endswith('.') else '.'}{pair[0]}"
            yield [], _python_paths(inner, folder)  # a module of a package, taken whole
        yield [pair[0] for pair in pairs if pair[0] != "*"], _python_paths(origin, folder)


def _python_paths(module: str, folder: str) -> list[str]:
    dots = len(module) - len(module.lstrip("."))
    if dots:
        above = folder
        for _ in range(dots - 1):
            above = posixpath.dirname(above) if above else ".."
        stems = [posixpath.join(above, *module[dots:].split("."))]
    elif not module:
        return []
    else:
        stems = [posixpath.join(base, *module.split(".")) for base in _bases(folder, "lib")]
    stems = [stem.rstrip("/") for stem in stems]
    return [f"{stem}{end}" for stem in stems if stem for end in (".py", ".pyi", "/__init__.py")]


_SCRIPT = re.compile(
    r"""(?:\bfrom|\brequire\s*\(|\bimport\s*\(|^\s*import)\s*['"](?P<from>[^'"\n]+)['"]""", re.MULTILINE
)
_SCRIPT_NAMES = re.compile(r"\b(?:import|export)\s+(?:type\s+)?(?P<names>[^;'\"]*?)\s*$")
_ENDINGS = (".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts", ".vue", ".svelte")


def _script(text: str, folder: str, path: str, go_module: str) -> _Read:
    for match in _SCRIPT.finditer(text):
        source = match["from"]
        if source.startswith("."):
            stems = [posixpath.join(folder, source)]
        elif source.startswith(("@/", "~/")):
            stems = [posixpath.join(base, source[2:]) for base in _bases(folder)]
        else:
            continue
        head = _SCRIPT_NAMES.search(text[max(0, match.start() - 600) : match.start()])
        inner = re.search(r"\{([^}]*)\}", head["names"]) if head else None
        names = re.findall(r"(?:^|,)\s*(?:type\s+)?(\w+)", inner[1]) if inner else []
        plain = [re.sub(r"\.(?:js|jsx|mjs|cjs)$", "", stem) for stem in stems]
        paths = [f"{stem}{end}" for stem in plain for end in ("", *_ENDINGS)]
        yield names, [*paths, *(f"{stem}/index{end}" for stem in plain for end in _ENDINGS)]


_GO = re.compile(r"^\s*import\s*(?:\((?P<many>[^)]*)\)|(?:[\w.]+\s+)?\"(?P<one>[^\"\n]+)\")", re.MULTILINE)


def _go(text: str, folder: str, path: str, go_module: str) -> _Read:
    for match in _GO.finditer(text):
        for source in [match["one"]] if match["one"] else re.findall(r'"([^"\n]+)"', match["many"]):
            if go_module and source.startswith(go_module + "/"):
                yield [], [source.removeprefix(go_module + "/") + "/"]


_RUST = re.compile(
    r"^\s*(?:pub(?:\([^)]*\))?\s+)?(?:use\s+(?P<use>[^;]+)|mod\s+(?P<mod>\w+)\s*);", re.MULTILINE
)


def _rust(text: str, folder: str, path: str, go_module: str) -> _Read:
    stem = posixpath.splitext(posixpath.basename(path))[0]
    inner = folder if stem in {"mod", "lib", "main"} else posixpath.join(folder, stem)
    root = path[: path.rindex("src/") + 3] if "src/" in path else folder
    for match in _RUST.finditer(text):
        if match["mod"]:
            yield [], [f"{inner}/{match['mod']}.rs", f"{inner}/{match['mod']}/mod.rs"]
            continue
        head, _, group = match["use"].partition("{")
        parts = [part.strip() for part in re.split(r"\s+as\s+", head)[0].split("::") if part.strip()]
        start = {"crate": root, "self": inner, "super": posixpath.dirname(inner)}.get(
            parts[0] if parts else ""
        )
        if start is None:
            continue
        names = re.findall(r"\w+", group) if group else parts[-1:]
        stems = [posixpath.join(start, *parts[1:n]) for n in range(len(parts), 1, -1)]
        yield names, [f"{one}{end}" for one in stems for end in (".rs", "/mod.rs")]


_C = re.compile(r'^\s*#\s*include\s*"([^"\n]+)"', re.MULTILINE)


def _c(text: str, folder: str, path: str, go_module: str) -> _Read:
    for match in _C.finditer(text):
        yield [], [posixpath.join(base, match[1]) for base in _bases(folder, "include")]


_JAVA = re.compile(r"^\s*import\s+(?:static\s+)?([\w.]+)(?:\.\*)?\s*;?", re.MULTILINE)


def _java(text: str, folder: str, path: str, go_module: str) -> _Read:
    end = posixpath.splitext(path)[1]
    for match in _JAVA.finditer(text):
        parts = match[1].split(".")
        bases = _bases(folder, "src/main/java", "src/main/kotlin")
        # A static import names a member of its class.
        yield (
            [parts[-1]],
            [posixpath.join(base, *parts[:n]) + end for n in (len(parts), len(parts) - 1) for base in bases],
        )


_READERS: dict[str, Callable[[str, str, str, str], _Read]] = {
    "python": _python,
    **dict.fromkeys(
        ("javascript", "javascriptreact", "typescript", "typescriptreact", "vue", "svelte"), _script
    ),
    "go": _go,
    "rust": _rust,
    **dict.fromkeys(("c", "cpp", "objective-c", "objective-cpp", "cuda-cpp"), _c),
    **dict.fromkeys(("java", "kotlin"), _java),
}
"""By language id."""
