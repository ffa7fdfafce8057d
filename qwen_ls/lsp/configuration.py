"""Where this session's settings come from: the client's options, its answers, and the files."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lsprotocol import types
from pygls.capabilities import get_capability
from pygls.exceptions import JsonRpcException
from pygls.uris import to_fs_path

from qwen_ls.lsp.completions import log_failure
from qwen_ls.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from qwen_ls.lsp.status import Herald

logger = logging.getLogger(__name__)

SECTION = "qwen-ls"


class Problem(Protocol):
    """Something that is wrong with the settings."""

    @property
    def text(self) -> str:
        """One line for the user."""
        ...


class Loaded(Protocol):
    """What reading the settings gives."""

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        ...

    @property
    def problems(self) -> Sequence[Problem]:
        """What was wrong on the way."""
        ...


class Load(Protocol):
    """Reads and merges every source; `qwen_ls.sources.load` is one."""

    def __call__(
        self,
        *,
        initialization_options: Mapping[str, Any] | None,
        configuration: Mapping[str, Any] | None,
        workspace: Path | None,
    ) -> Loaded:
        """Read."""
        ...


class Configuration:
    """Keeps what the client said about settings, and reads them again when that changes.

    Args:
        load: reads and merges every source.
    """

    def __init__(self, load: Load) -> None:
        self.settings = Settings()
        self.can_ask = False
        """Whether the client answers `workspace/configuration`."""
        self.can_register = False
        """Whether the client wants to be asked to report changes."""
        self._load = load
        self._options: Mapping[str, Any] | None = None
        self._section: Mapping[str, Any] | None = None
        self.roots: tuple[Path, ...] = ()
        """The workspace's folders; the first one's file of settings is the project's."""

    def learn(self, params: types.InitializeParams) -> None:
        """Take what `initialize` says."""
        options: Any = params.initialization_options
        self._options = options if isinstance(options, dict) else None
        self.roots = roots_of(params)
        capabilities = params.capabilities
        self.can_ask = bool(get_capability(capabilities, "workspace.configuration", False))
        self.can_register = bool(
            get_capability(capabilities, "workspace.did_change_configuration.dynamic_registration", False)
        )

    def take(self, pushed: Any) -> None:
        """Take the settings that a client sends along with `didChangeConfiguration`."""
        if isinstance(pushed, dict):
            section = pushed.get(SECTION, pushed)
            self._section = section if isinstance(section, dict) else None

    def change_roots(self, added: Iterable[Any], removed: Iterable[Any]) -> None:
        """Take folders that a client opens in its workspace, and let go of those that it closes; as URIs."""
        gone, new = set(map(_path, removed)), map(_path, added)
        kept = [root for root in self.roots if root not in gone]
        self.roots = tuple(dict.fromkeys([*kept, *(path for path in new if path)]))

    async def fetch(self, ask: Callable[[str, Any], Awaitable[Any]]) -> None:
        """Ask the client for our section. A client that does not answer is no trouble."""
        if not self.can_ask:
            return
        item = types.ConfigurationItem(section=SECTION)
        try:
            answer = await ask(types.WORKSPACE_CONFIGURATION, types.ConfigurationParams(items=[item]))
        except (JsonRpcException, TimeoutError) as error:
            logger.warning("the client did not tell its settings: %s", type(error).__name__)
            return
        section = answer[0] if isinstance(answer, list) and answer else None
        self._section = section if isinstance(section, dict) else None

    def read(self, herald: Herald) -> Settings:
        """Read every source, tell what is wrong, and keep what is right. Never raises."""
        try:
            loaded = self._load(
                initialization_options=self._options,
                configuration=self._section,
                workspace=self.roots[0] if self.roots else None,
            )
        except Exception as error:  # nothing in the settings can stop the server
            log_failure("reading the settings", error)
            return self.settings
        herald.problems([problem.text for problem in loaded.problems])
        self.settings = loaded.settings
        logging.getLogger("qwen_ls").setLevel(self.settings.log_level.upper())
        return self.settings


def roots_of(params: types.InitializeParams) -> tuple[Path, ...]:
    """The folders of the workspace, as far as the client has one open."""
    uris = [folder.uri for folder in params.workspace_folders or []]
    paths = [to_fs_path(uri) for uri in uris or ([params.root_uri] if params.root_uri else [])]
    return tuple(Path(path) for path in paths or [params.root_path] if path)


def _path(uri: Any) -> Path | None:
    path = to_fs_path(uri) if isinstance(uri, str) else None
    return Path(path) if path else None
