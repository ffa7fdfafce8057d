"""What `.gitignore` says. It reads those files, and nothing else.

As git does: the rules of a folder hold below it, the nearest have the say, and what stands in an ignored
folder is ignored whatever they say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pathspec import GitIgnoreSpec

MAX_BYTES = 256 * 1024
"""A larger file of rules is read this far."""


class IgnoreRules:
    """The rules of some folders, read again when their files change."""

    def __init__(self) -> None:
        self._specs: dict[Path, tuple[int, GitIgnoreSpec | None]] = {}

    def ignores(self, path: Path, top: Path) -> bool:
        """Whether a file is ignored.

        Args:
            path: the file, without links.
            top: the workspace's folder. Where that lies in a repository, the rules above it count as well,
                unless they ignore the workspace itself: who opens it knows better.
        """
        above = [folder for folder in path.parents if (folder / ".git").exists()]
        repository = above[0] if above else top
        if repository != top and self._is_ignored(top, repository, is_folder=True):
            repository = top
        return self._is_ignored(path, repository)

    def _is_ignored(self, path: Path, repository: Path, *, is_folder: bool = False) -> bool:
        """Whether a path, or a folder that it is in, is ignored in a repository."""
        if not path.is_relative_to(repository):
            return False
        parts = path.relative_to(repository).parts
        folders = [repository.joinpath(*parts[:n]) for n in range(len(parts))]
        files = [(repository, repository / ".git" / "info" / "exclude")]
        files += [(folder, folder / ".gitignore") for folder in folders]
        rules = [(folder, spec) for folder, file in files if (spec := self._spec(file))]
        if any(self._says(rules, folder, is_folder=True) for folder in folders[1:]):
            return True
        return self._says(rules, path, is_folder=is_folder)

    @staticmethod
    def _says(rules: list[tuple[Path, GitIgnoreSpec]], path: Path, *, is_folder: bool) -> bool:
        """What the nearest rule about a path says."""
        for folder, spec in reversed(rules):
            if path != folder and path.is_relative_to(folder):
                name = path.relative_to(folder).as_posix() + ("/" if is_folder else "")
                if (verdict := spec.check_file(name).include) is not None:
                    return verdict
        return False

    def _spec(self, file: Path) -> GitIgnoreSpec | None:
        """The rules of one file; None where there is none that can be read."""
        try:
            changed = file.stat().st_mtime_ns
            known = self._specs.get(file)
            if known and known[0] == changed:
                return known[1]
            with file.open("rb") as opened:
                text = opened.read(MAX_BYTES).decode("utf-8", "replace")
        except OSError:
            return None
        from pathspec import GitIgnoreSpec

        try:
            spec = GitIgnoreSpec.from_lines(text.splitlines())
        except ValueError:  # a rule that git would not take either
            spec = None
        self._specs[file] = changed, spec
        return spec
