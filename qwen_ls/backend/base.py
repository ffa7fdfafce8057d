"""The face of every backend, and the tree of what can go wrong.

```
BackendError
├── ConfigurationError     no call was made: the settings cannot work           stop
├── AuthenticationError    401: wrong key, or a key of another region            stop
├── AccessError            403: model retired, not enabled, free tier used up    stop
├── BillingError           arrears, unpaid bills                                 stop
├── ModelError             404: unknown model, or one that lacks this strategy   stop
├── RequestError           400: the endpoint refuses a parameter                 give up
├── ContentError           the content filter refused this prompt or answer      give up
├── RateLimitError         429                                                   cool down
├── ServerError            5xx, gateway pages                                    cool down
├── UnreachableError       no network, no such host, connection lost             cool down
│   └── TlsError           the host's certificate was refused                    stop
├── DeadlineError          no answer in time                                     cool down
├── AnswerError            an answer that cannot be understood                   give up
├── NotReadyError          the local engine is being prepared                    give up
└── LimitError             no call was made: a limit of the user's own           give up
```
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from qwen_ls.backend.plan import Target
    from qwen_ls.core.types import Chunk, CompletionRequest


class Action(enum.StrEnum):
    """What happens after an error."""

    STOP = "stop"
    """No more calls until the settings change."""
    COOL_DOWN = "cool down"
    """No calls for a while, longer each time."""
    GIVE_UP = "give up"
    """This request has no answer; the next one may."""


class BackendError(Exception):
    """A call that brought no completion.

    Attributes:
        cause: a stable id, one per cause of trouble; the user is told once per cause.
        remedy: what the user can do, one sentence; may be empty.
        request_id: the endpoint's id of the request, for its support; may be empty.
        retry_after_s: how long the endpoint asked to wait, in seconds, if it did.
    """

    action = Action.GIVE_UP
    cause = "backend"

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        cause: str = "",
        request_id: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.cause = cause or type(self).cause
        self.request_id = request_id
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        sentence = self.message if self.message.endswith((".", "!", "?")) else self.message + "."
        return f"{sentence} {self.remedy}".strip()


class ConfigurationError(BackendError):
    """The settings cannot work; no call was made."""

    action = Action.STOP
    cause = "configuration"


class AuthenticationError(BackendError):
    """The key was refused."""

    action = Action.STOP
    cause = "key"


class AccessError(BackendError):
    """The key is good, but not for this model."""

    action = Action.STOP
    cause = "access"


class BillingError(BackendError):
    """The account must be paid first."""

    action = Action.STOP
    cause = "billing"


class ModelError(BackendError):
    """There is no such model at this endpoint, or not for this strategy."""

    action = Action.STOP
    cause = "model"


class RequestError(BackendError):
    """The endpoint refuses a parameter."""

    cause = "request"


class ContentError(BackendError):
    """A content filter refused the prompt or the answer."""

    cause = "content"


class RateLimitError(BackendError):
    """Too many requests or tokens."""

    action = Action.COOL_DOWN
    cause = "rate limit"


class ServerError(BackendError):
    """The endpoint, or a gateway before it, failed."""

    action = Action.COOL_DOWN
    cause = "server"


class UnreachableError(BackendError):
    """The endpoint could not be reached."""

    action = Action.COOL_DOWN
    cause = "network"


class TlsError(UnreachableError):
    """The host's certificate was refused."""

    action = Action.STOP
    cause = "tls"


class DeadlineError(BackendError):
    """No answer in time."""

    action = Action.COOL_DOWN
    cause = "timeout"


class AnswerError(BackendError):
    """The answer cannot be understood."""

    cause = "answer"


class NotReadyError(BackendError):
    """The local engine is being prepared; the message says how far it is."""

    cause = "not ready"


class LimitError(BackendError):
    """A limit of the user's settings is reached; no call was made."""

    cause = "limit"


class Backend(Protocol):
    """One endpoint, ready to be asked."""

    @property
    def target(self) -> Target:
        """What calls are made to: model, strategy, limits."""
        ...

    @property
    def partial(self) -> Target | None:
        """The same endpoint and model in partial mode: what a prompt of partial mode goes to.

        Where the target fills in the middle, its answers are continued with this one, and it takes the
        target's place where FIM is refused (`forgo_fim`). None where partial mode cannot work.
        """
        ...

    def forgo_fim(self) -> None:
        """Ask in partial mode from now on, and remember it: the endpoint refuses FIM with this model."""
        ...

    def stream(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Ask, and yield the answer in pieces.

        Closing the generator closes the connection at once; reading it to its end keeps the connection alive.

        Raises:
            BackendError: one of the tree above, before or between the pieces.
        """
        ...

    async def warm(self) -> None:
        """Build what the first call would otherwise wait for.

        Raises:
            BackendError: what the user should read before the first call; a network that is down is nothing.
        """
        ...

    async def aclose(self) -> None:
        """Free connections and processes."""
        ...
