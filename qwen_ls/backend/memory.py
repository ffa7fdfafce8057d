"""What has been found out about endpoints; it outlives a change of settings, not the process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qwen_ls.backend.wire.semantics import SemanticsMemory

if TYPE_CHECKING:
    from qwen_ls.backend.models import NativePath
    from qwen_ls.backend.plan import Target


@dataclass(slots=True)
class Memory:
    """By endpoint and model: what streams carry, which native path is right, where FIM was refused."""

    semantics: SemanticsMemory = field(default_factory=SemanticsMemory)
    _native_paths: dict[tuple[str, str], NativePath] = field(default_factory=dict)
    _without_fim: set[tuple[str, str]] = field(default_factory=set)

    def native_path(self, target: Target) -> NativePath | None:
        """The native path that proved right for the target's model; None where the row's has not failed."""
        return self._native_paths.get((target.base_url, target.model))

    def learn_native_path(self, target: Target) -> None:
        """The target's native path is right."""
        if target.native is not None:
            self._native_paths[target.base_url, target.model] = target.native

    def lacks_fim(self, target: Target) -> bool:
        """Whether the endpoint has refused to fill in the middle with the target's model."""
        return (target.base_url, target.model) in self._without_fim

    def learn_no_fim(self, target: Target) -> None:
        """The endpoint refuses to fill in the middle with the target's model."""
        self._without_fim.add((target.base_url, target.model))
