"""Where the server listens."""

from __future__ import annotations

import socket

import pytest

from ostiary.errors import ConfigurationError
from ostiary.serving.listeners import bind


def test_localhost_listens_on_both_loopback_addresses_with_one_port() -> None:
    sockets = bind("localhost", 0)
    try:
        assert {listener.family for listener in sockets} == {socket.AF_INET, socket.AF_INET6}
        assert len({listener.getsockname()[1] for listener in sockets}) == 1
    finally:
        for listener in sockets:
            listener.close()


def test_a_taken_port_is_an_error_that_names_the_mend() -> None:
    first = bind("127.0.0.1", 0)
    try:
        with pytest.raises(ConfigurationError, match="choose another port"):
            bind("127.0.0.1", first[0].getsockname()[1])
    finally:
        first[0].close()
