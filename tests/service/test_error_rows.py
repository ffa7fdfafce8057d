"""Every row of DashScope's table of errors: what the user reads, and how many calls follow.

The real backend before a server that answers with the row's status and code, in both JSON shapes; the clock
stands still until it is told. The strategy is set: what is asked after a refusal of FIM is in `test_call`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from qwen_ls.backend.http import HttpBackend
from qwen_ls.backend.keys import Key
from qwen_ls.backend.plan import resolve
from qwen_ls.core.types import Completion, Reason
from qwen_ls.settings import Settings
from tests.backend.byteserver import ByteServer, Exchange, response
from tests.service.scripted import Stage, ask

KEY = Key("sk-very-secret", "environment variable DASHSCOPE_API_KEY")
GOOD = response(json.dumps({"choices": [{"index": 0, "text": "1", "finish_reason": "stop"}]}).encode())

STOP, COOL_DOWN, GIVE_UP = "stop", "cool down", "give up"
PAUSED = {STOP: Reason.NOT_CONFIGURED, COOL_DOWN: Reason.COOLING_DOWN, GIVE_UP: Reason.BACKEND}
BILLING = "unpaid or missing plan"
ROWS: list[tuple[int, str, str, str, str]] = [
    # status, code, the endpoint's message, words of ours, what happens next
    (400, "InvalidParameter", "Range of max_tokens should be [1, 8192]", "the parameter max_tokens", GIVE_UP),
    (400, "invalid_parameter_error", "Temperature should be in [0.0, 2.0)", "parameter temperature", GIVE_UP),
    (400, "invalid_request_error", "-1 is lesser than the minimum of 0 - 'seed'", "parameter seed", GIVE_UP),
    (400, "InvalidParameter", "Range of input length should be [1, 129024]", "Lower promptTokens", GIVE_UP),
    (400, "InvalidParameter", "Model not exist.", "has no model", STOP),
    (400, "InvalidParameter", "url error, please check url！", "refused the request", GIVE_UP),
    (400, "BadRequest.EmptyInput", "Required input is missing", "refused the request", GIVE_UP),
    (400, "BadRequest.EmptyParameters", "Required parameters is missing", "refused the request", GIVE_UP),
    (400, "BadRequest.EmptyModel", "Required model is missing", "has no model", STOP),
    (400, "Arrearage", "Access denied, please make sure your account is in good standing.", BILLING, STOP),
    (400, "DataInspectionFailed", "Input data may contain inappropriate content.", "content filter", GIVE_UP),
    (400, "data_inspection_failed", "Output data may contain …", "content filter", GIVE_UP),
    (401, "InvalidApiKey", "Invalid API-key provided.", "works in one region only", STOP),
    (401, "invalid_api_key", "Incorrect API key provided.", "refused the key", STOP),
    (401, "", "invalid access token or token expired", "refused the key", STOP),
    (401, "NOT AUTHORIZED", "", "refused the key", STOP),
    (403, "AccessDenied", "Access denied.", "does not let this key use the model", STOP),
    (403, "access_denied", "Access denied.", "does not let this key use the model", STOP),
    (403, "AccessDenied.Unpurchased", "Access to model denied.", "enable it", STOP),
    (403, "Model.AccessDenied", "Model access denied.", "may be retired", STOP),
    (403, "Workspace.AccessDenied", "Workspace access denied.", "enabled in the workspace", STOP),
    (403, "Endpoint.AccessDenied", "Workspace endpoint access denied.", "does not let this key", STOP),
    (403, "AllocationQuota.FreeTierOnly", "The free tier … exhausted.", "free tier of", STOP),
    (404, "ModelNotFound", "Model can not be found.", "has no model", STOP),
    (404, "model_not_found", "The model `x` does not exist …", "has no model", STOP),
    (404, "model_not_supported", "Unsupported model x …", "strategy to partial", STOP),
    (404, "WorkSpaceNotFound", "WorkSpace can not be found.", "Check workspaceId", STOP),
    (409, "Conflict", "Model instance … already exists", "refused the request", GIVE_UP),
    (429, "Throttling", "Requests throttling triggered.", "too many requests", COOL_DOWN),
    (429, "Throttling.RateQuota", "Requests rate limit exceeded, please …", "too many requests", COOL_DOWN),
    (429, "limit_requests", "You have exceeded your current request limit.", "too many requests", COOL_DOWN),
    (429, "LimitRequests", "You have exceeded your current request limit.", "too many requests", COOL_DOWN),
    (429, "Throttling.AllocationQuota", "Allocated quota exceeded, …", "too many tokens", COOL_DOWN),
    (429, "insufficient_quota", "You exceeded your current quota, …", "too many tokens", COOL_DOWN),
    (429, "Throttling.BurstRate", "Request rate increased too quickly.", "too many requests", COOL_DOWN),
    (429, "limit_burst_rate", "Request rate increased too quickly.", "too many requests", COOL_DOWN),
    (429, "Throttling.Concurrency", "…", "too many requests", COOL_DOWN),
    (429, "ResourceExhausted", "…", "too many requests", COOL_DOWN),
    (429, "CommodityNotPurchased", "Commodity has not purchased yet.", BILLING, STOP),
    (429, "PrepaidBillOverdue", "The prepaid bill is overdue.", BILLING, STOP),
    (429, "PostpaidBillOverdue", "The postpaid bill is overdue.", BILLING, STOP),
    (429, "BudgetLimitExceeded", "…", BILLING, STOP),
    (500, "InternalError", "An internal error has occurred", "failed (HTTP 500", COOL_DOWN),
    (500, "internal_error", "An internal error has occurred", "failed (HTTP 500", COOL_DOWN),
    (500, "InternalError.Algo", "inference internal error", "failed (HTTP 500", COOL_DOWN),
    (500, "InternalError.Timeout", "…", "failed (HTTP 500", COOL_DOWN),
    (500, "SystemError", "An system error has occurred", "failed (HTTP 500", COOL_DOWN),
    (500, "ModelServiceFailed", "Failed to request model service.", "failed (HTTP 500", COOL_DOWN),
    (500, "RequestTimeOut", "Request timed out", "failed (HTTP 500", COOL_DOWN),
    (500, "ResponseTimeout", "Response timeout", "failed (HTTP 500", COOL_DOWN),
    (503, "ModelServingError", "Too many requests. Your requests are …", "failed (HTTP 503", COOL_DOWN),
    (503, "ModelUnavailable", "Model is unavailable", "failed (HTTP 503", COOL_DOWN),
    (503, "ServiceUnavailable", "Too many requests. Your requests are …", "failed (HTTP 503", COOL_DOWN),
]


@dataclass
class Scene:
    """A service with a real backend, and the server that it asks."""

    stage: Stage
    server: ByteServer
    answers: list[bytes]

    @property
    def n_calls(self) -> int:
        return len(self.server.exchanges)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    answers: list[bytes] = []

    async def answer(exchange: Exchange) -> None:
        await exchange.send(answers.pop(0) if answers else GOOD)

    async with ByteServer(answer) as server:
        stage = Stage(base_url=server.url, streaming="off", strategy="fim")

        def connect(settings: Settings) -> HttpBackend:
            return HttpBackend(resolve(settings), KEY, settings)

        stage.service = stage.serving(connect)
        yield Scene(stage, server, answers)
        await stage.service.aclose()


def compat(code: str, message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": code, "param": None, "code": code}, "request_id": "r"}


def native(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message, "request_id": "r"}


@pytest.mark.parametrize("shape", [compat, native])
@pytest.mark.parametrize(
    ("status", "code", "message", "words", "action"),
    ROWS,
    ids=[f"{status}-{code or 'no code'}-{n}" for n, (status, code, *_) in enumerate(ROWS)],
)
async def test_a_row(
    scene: Scene, shape: Any, status: int, code: str, message: str, words: str, action: str
) -> None:
    if shape is native and not code:
        return  # the native shape always has a code
    body = json.dumps(shape(code, message)).encode()
    bad = response(body, status=f"{status} X", more="x-request-id: r\r\n")
    scene.answers[:] = [bad] * 3
    results = [await ask(scene.stage, f"{name} = █", waited_s=9) for name in "abc"]
    assert results[0].reason is Reason.BACKEND
    assert [result.reason for result in results[1:]] == [PAUSED[action]] * 2
    assert scene.n_calls == (3 if action == GIVE_UP else 1)
    [notice] = scene.stage.notices
    assert words in notice.text
    assert "\n" not in notice.text
    assert KEY.value not in notice.text
    scene.answers.clear()
    await scene.stage.clock.advance(2)  # the first pause is a second
    later = await ask(scene.stage, "d = █", waited_s=9)
    assert isinstance(later, Completion) == (action != STOP)
    assert scene.n_calls == {STOP: 1, COOL_DOWN: 2, GIVE_UP: 4}[action]


@pytest.mark.parametrize(
    ("status", "wish", "pause_s"),
    [
        pytest.param("429", "17", 17, id="as long as it asks"),
        pytest.param("503", "17", 17, id="an overload may ask too"),
        pytest.param("429", "86400", 300, id="within reason"),
        pytest.param("429", "soon", 1, id="nonsense is no wish"),
        pytest.param("429", "0", 1, id="no time is no wish"),
        pytest.param("429", "-9", 1, id="time does not run back"),
        pytest.param("429", "1e999", 1, id="for ever is no time"),
        pytest.param("429", "Thu, 01 Jan 1970 00:00:00 GMT", 1, id="a date that is over"),
        pytest.param("429", "Fri, 31 Dec 2100 00:00:00 GMT", 300, id="a date too far away"),
        pytest.param("429", "", 1, id="nothing"),
    ],
)
async def test_retry_after(scene: Scene, status: str, wish: str, pause_s: float) -> None:
    scene.answers[:] = [response(b"{}", status=f"{status} X", more=f"retry-after: {wish}\r\n")]
    await ask(scene.stage, "a = █", waited_s=9)
    await scene.stage.clock.advance(pause_s - 0.5)
    paused = await ask(scene.stage, "b = █", waited_s=9)
    assert paused.reason is Reason.COOLING_DOWN
    assert scene.n_calls == 1
    await scene.stage.clock.advance(1)
    assert isinstance(await ask(scene.stage, "b = █", waited_s=9), Completion)


async def test_the_status_says_until_when(scene: Scene) -> None:
    scene.answers[:] = [response(b"{}", status="503 X", more="retry-after: 120\r\n")]
    await ask(scene.stage, "a = █", waited_s=9)
    for _ in range(3):
        await scene.stage.clock.advance(30)
        await ask(scene.stage, "b = █", waited_s=9)
    limited = [status for status in scene.stage.statuses if status.kind == "limited"]
    assert [status.text.partition(": ")[0] for status in limited] == ["until 12:02"]


async def test_after_a_pause_one_call_finds_out() -> None:
    from qwen_ls.backend.base import ServerError
    from tests.service.scripted import WAIT, start, until

    stage = Stage()
    stage.backend.script = [ServerError("500"), [WAIT, "1"], "2"]
    await ask(stage, "a = █", waited_s=9)
    await stage.clock.advance(1.1)
    probe = start(stage, "b = █", waited_s=9)
    await until(lambda: stage.backend.live)
    other = await ask(stage, "c = █", waited_s=9, uri="file:///p/other.py")
    assert other.reason is Reason.COOLING_DOWN
    assert "one call finds out" in other.detail
    assert len(stage.backend.requests) == 2
    stage.backend.release.set()
    assert isinstance(await probe, Completion)
    assert isinstance(await ask(stage, "c = █", waited_s=9, uri="file:///p/other.py"), Completion)
    await stage.service.aclose()
