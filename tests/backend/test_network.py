"""Faults of the network, from the libraries' exceptions to the tree."""

from __future__ import annotations

import errno
import socket
import ssl
from itertools import pairwise

import pytest

from qwen_ls.backend import base, network

from .asking import target_of


def chained(*errors: BaseException) -> BaseException:
    """The first of them, caused by the second, and so on."""
    for outer, inner in pairwise(errors):
        outer.__cause__ = inner
    return errors[0]


@pytest.mark.parametrize(
    ("error", "expected", "cause"),
    [
        pytest.param(
            chained(OSError("x"), socket.gaierror(socket.EAI_NONAME, "x")),
            base.UnreachableError,
            "dns",
            id="dns",
        ),
        pytest.param(
            chained(OSError("x"), ConnectionRefusedError()), base.UnreachableError, "refused", id="refused"
        ),
        pytest.param(
            chained(OSError("x"), ExceptionGroup("x", [OSError(errno.ECONNREFUSED, "x")])),
            base.UnreachableError,
            "refused",
            id="refused on two addresses",
        ),
        pytest.param(OSError(errno.ENETUNREACH, "x"), base.UnreachableError, "network", id="no network"),
        pytest.param(OSError("x"), base.UnreachableError, "network", id="anything else"),
        pytest.param(
            chained(OSError("x"), ssl.SSLCertVerificationError(1, "x")),
            base.TlsError,
            "tls",
            id="certificate",
        ),
        pytest.param(ssl.SSLError(1, "WRONG_VERSION_NUMBER"), base.TlsError, "tls", id="no TLS"),
        pytest.param(
            chained(OSError("x"), ConnectionResetError(), ssl.SSLWantReadError()),
            base.UnreachableError,
            "network",
            id="reset in a handshake",
        ),
    ],
)
def test_connecting(error: BaseException, expected: type[base.BackendError], cause: str) -> None:
    failure = network.connect_failure(error, target_of())
    assert (type(failure), failure.cause) == (expected, cause)
    assert failure.remedy
    assert "dashscope.aliyuncs.com" in str(failure)


def test_a_circle_of_causes_ends() -> None:
    one, other = OSError("a"), OSError("b")
    one.__cause__, other.__cause__ = other, one
    assert network.connect_failure(one, target_of()).cause == "network"


def test_a_server_of_ones_own_is_to_be_started() -> None:
    failure = network.connect_failure(ConnectionRefusedError(), target_of(provider="llama.cpp"))
    assert (
        str(failure) == "Nothing answers at http://127.0.0.1:8080/v1. Start the server there, or set baseUrl."
    )
