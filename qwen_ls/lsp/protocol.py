"""JSON-RPC on pygls' protocol classes, with a decoder and a dispatch of our own.

Every request gets exactly one answer, whatever it looks like; a notification never does. Messages that come
with every key have routes that read them by hand; the rest is structured and goes to pygls' features. What
each part replaces, and why, stands in `workarounds`.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import itertools
import json
import logging
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams
from pygls.protocol import LanguageServerProtocol
from pygls.protocol.language_server import lsp_method

from qwen_ls.lsp.capabilities import initialize_result
from qwen_ls.lsp.completions import log_failure
from qwen_ls.lsp.convert import InvalidParamsError
from qwen_ls.lsp.workarounds import describe_misfit, structure_initialize, unmixed

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from concurrent.futures import Future

    from cattrs import Converter

    from qwen_ls.lsp.session import QwenLanguageServer
    from qwen_ls.lsp.transport import Writer

    MessageId = int | str

logger = logging.getLogger(__name__)

ASK_TIMEOUT_S = 30.0
"""How long the client may take to answer a question of ours; afterwards it is forgotten."""

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
NOT_INITIALIZED = -32002
REQUEST_CANCELLED = -32800


class State(enum.Enum):
    """Where the session is."""

    NEW = enum.auto()
    RUNNING = enum.auto()
    SHUT_DOWN = enum.auto()


class QwenProtocol(LanguageServerProtocol):
    """Decodes, dispatches and answers.

    Attributes:
        routes: notifications that are given their raw parameters.
        request_routes: requests that are given their id and raw parameters, and answer for themselves.
    """

    _server: QwenLanguageServer

    def __init__(self, server: QwenLanguageServer, converter: Converter) -> None:
        super().__init__(server, converter)
        self.state = State.NEW
        self.out: Writer | None = None
        self.raw_initialize: dict[str, Any] = {}
        self.answered: MessageId | None = None
        """The `initialize` that `greeting` has answered; it is not answered again."""
        self.routes: dict[str, Callable[[Any], None]] = {types.CANCEL_REQUEST: self._cancel}
        self.request_routes: dict[str, Callable[[MessageId, Any], None]] = {
            types.INITIALIZE: self._initialize
        }
        self._numbers = itertools.count(1)
        self._encoder = json.JSONEncoder(default=self._serialize_message, separators=(",", ":"))

    # What comes in

    def receive(self, body: bytes) -> None:
        """Take one message's body. Never raises."""
        try:
            message = json.loads(_decode(body))
        except (ValueError, RecursionError):
            logger.warning("the client sent a message of %d bytes that is no JSON", len(body))
            self.refuse(None, PARSE_ERROR, "Parse error: the message is no JSON")
            return
        try:
            self._dispatch(message)
        except Exception as error:  # no message may end the session
            log_failure("handling a message", error)

    def _dispatch(self, message: Any) -> None:
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            request_id = message.get("id") if isinstance(message, dict) else None
            self.refuse(
                request_id if _is_id(request_id) else None, INVALID_REQUEST, "not a JSON-RPC 2.0 message"
            )
            return
        method, params = message.get("method"), message.get("params")
        if not isinstance(method, str):
            if "result" in message or "error" in message:
                self._take_response(message)
            elif "id" in message:
                self.refuse(message["id"] if _is_id(message["id"]) else None, INVALID_REQUEST, "no method")
        elif "id" not in message:
            self._take_notification(method, params)
        elif _is_id(message["id"]):
            self._take_request(message["id"], method, params)
        else:
            self.refuse(None, INVALID_REQUEST, "the id must be a string or a number")

    def _take_request(self, request_id: MessageId, method: str, params: Any) -> None:
        logger.debug("request %r: %s", request_id, method)
        if problem := self._out_of_order(request_id, method):
            self.refuse(request_id, *problem)
            return
        try:
            if route := self.request_routes.get(method):
                route(request_id, params)
            elif method in self.fm.builtin_features or method in self.fm.features:
                self._execute(request_id, method, self._structure(method, params, request_id))
            else:
                self.refuse(request_id, METHOD_NOT_FOUND, f"Method not found: {method[:100]}")
        except (InvalidParamsError, JsonRpcInvalidParams) as error:
            self.refuse(request_id, INVALID_PARAMS, f"Invalid params: {error}")
        except Exception as error:  # an answer is owed
            log_failure(f"the request {method}", error)
            self.refuse(request_id, INTERNAL_ERROR, f"Internal error: {type(error).__name__}")

    def _out_of_order(self, request_id: MessageId, method: str) -> tuple[int, str] | None:
        """Why this request cannot be taken now."""
        if self.state is State.SHUT_DOWN:
            return INVALID_REQUEST, "the server has been shut down"
        if self.state is State.NEW and method != types.INITIALIZE:
            return NOT_INITIALIZED, "the server has not been initialized"
        if self.state is State.RUNNING and method == types.INITIALIZE:
            return INVALID_REQUEST, "the server has been initialized already"
        if request_id in self._server.completions:
            return INVALID_REQUEST, "a request of this id is pending"
        return None

    def _take_notification(self, method: str, params: Any) -> None:
        if self.state is not State.RUNNING and method != types.EXIT:
            logger.debug("ignored out of order: %s", method[:100])
            return
        try:
            if route := self.routes.get(method):
                route(params)
            elif method in self.fm.builtin_features or method in self.fm.features:
                self._execute(f"notification {next(self._numbers)}", method, self._structure(method, params))
            else:
                logger.debug("ignored, unknown: %s", method[:100])
        except (InvalidParamsError, JsonRpcInvalidParams) as error:
            logger.warning("ignored %s: %s", method, error)
        except Exception as error:  # the session lives on
            log_failure(f"the notification {method}", error)

    def _take_response(self, message: dict[str, Any]) -> None:
        """The client's answer to a question of ours; late and unknown ones are dropped."""
        request_id = message.get("id")
        future = self._request_futures.pop(request_id, None) if isinstance(request_id, str) else None
        if future is None or future.done():
            logger.debug("ignored an answer that nobody waits for")
        elif message.get("error") is not None:
            error = message["error"] if isinstance(message["error"], dict) else {}
            code = error.get("code")
            future.set_exception(
                JsonRpcException(str(error.get("message")), code=code if isinstance(code, int) else None)
            )
        else:
            future.set_result(message.get("result"))

    def _cancel(self, params: Any) -> None:
        request_id = params.get("id") if isinstance(params, dict) else None
        if not _is_id(request_id):
            raise InvalidParamsError("id must be a string or a number")
        if self._server.completions.take(request_id):
            self.refuse(request_id, REQUEST_CANCELLED, "the request was cancelled")

    # pygls' features

    def _structure(self, method: str, params: Any, request_id: MessageId | None = None) -> Any:
        """Parameters as lsprotocol has them; those of methods that LSP does not know stay as they are.

        Raises:
            InvalidParamsError: they do not fit.
        """
        kind = self.get_message_type(method)
        if kind is None:
            return params
        message = {"jsonrpc": "2.0", "method": method, "id": request_id}
        if params is not None:
            message["params"] = params
        try:
            return self._converter.structure(message, kind).params
        except Exception as error:
            raise InvalidParamsError(describe_misfit(error)) from None

    def _execute(self, message_id: MessageId, method: str, params: Any) -> None:
        """Run a feature; for a request its result is the answer."""

        def done(future: Future[Any]) -> None:
            if is_request:
                self._send_handler_result(future, msg_id=message_id)
            else:
                self._check_handler_result(future)

        is_request = not (isinstance(message_id, str) and message_id.startswith("notification "))
        self._execute_handler(message_id, self._get_handler(method), done, args=(params,))

    def _execute_handler(
        self,
        msg_id: MessageId,
        handler: Callable[..., Any],
        callback: Callable[[Future[Any]], None],
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        """As pygls', but what it files is taken out again when it has ended."""
        super()._execute_handler(msg_id, handler, callback, args, kwargs)
        future = self._request_futures.get(msg_id)
        if future is not None:
            future.add_done_callback(
                lambda done: self._request_futures.get(msg_id) is done and self._request_futures.pop(msg_id)
            )

    def _send_handler_result(self, future: Future[Any], *, msg_id: MessageId) -> None:
        """Answer with a feature's result, or with one line that says what went wrong."""
        if future.cancelled():
            self.refuse(msg_id, REQUEST_CANCELLED, "the request was cancelled")
            return
        error = future.exception()
        if error is None:
            self.answer(msg_id, future.result())
        elif isinstance(error, JsonRpcException):
            self.refuse(msg_id, error.code, error.message)
        else:
            log_failure("a request", error)
            self.refuse(msg_id, INTERNAL_ERROR, f"Internal error: {type(error).__name__}")

    def _check_handler_result(self, future: Future[Any]) -> None:
        if not future.cancelled() and (error := future.exception()) is not None:
            log_failure("a notification", error)

    def _initialize(self, request_id: MessageId, params: Any) -> None:
        self.raw_initialize = params if isinstance(params, dict) else {}
        structured = structure_initialize(self._converter, self.raw_initialize)
        self._execute(request_id, types.INITIALIZE, structured)

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Generator[Any, Any, Any]:
        """As pygls', but what we can do is for `capabilities` to say: it has been said already, on stdio."""
        yield from super().lsp_initialize(params)
        self._server.on_initialize(params)
        self.state = State.RUNNING
        return initialize_result(self.raw_initialize)

    # What goes out

    def answer(self, request_id: MessageId, result: Any) -> None:
        """Answer a request."""
        if self.answered is not None and request_id == self.answered:
            self.answered = None
            return
        self._send_data({"jsonrpc": "2.0", "id": request_id, "result": result})

    def refuse(self, request_id: MessageId | None, code: int, message: str) -> None:
        """Answer a request with an error of one line."""
        error = {"code": code, "message": message}
        self._send_data({"jsonrpc": "2.0", "id": request_id, "error": error})

    async def ask(self, method: str, params: Any) -> Any:
        """Ask the client something; its answer comes as it was sent.

        Raises:
            JsonRpcException: the client refused.
            TimeoutError: it did not answer within `ASK_TIMEOUT_S`.
        """
        request_id = f"qwen-ls/{next(self._numbers)}"
        future = self.send_request(method, params, msg_id=request_id)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), ASK_TIMEOUT_S)
        finally:
            self._request_futures.pop(request_id, None)
            self._result_types.pop(request_id, None)

    def _send_data(self, data: Any) -> None:
        """Write one message. Never raises."""
        if self.out is None:
            return
        try:
            body = self._encoder.encode(data).encode()
        except (TypeError, ValueError, AttributeError) as error:
            log_failure("writing a message", error)
            if isinstance(data, dict) and "result" in data:
                self.refuse(data["id"], INTERNAL_ERROR, "Internal error: the result is not JSON")
            return
        self.out.write(body)


def _is_id(value: Any) -> bool:
    return isinstance(value, int | float | str) and not isinstance(value, bool)


def _decode(body: bytes) -> str:
    """UTF-8; halves of surrogate pairs that were encoded one by one are put together.

    Raises:
        ValueError: it is no UTF-8 of any kind.
    """
    with contextlib.suppress(UnicodeDecodeError):
        return body.decode()
    return unmixed(body.decode("utf-8", "surrogatepass"))
