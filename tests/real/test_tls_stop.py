"""A stop does not wait for a TLS client that keeps its connection and says nothing."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path

import pytest

from tests.real.own_certificate import certified
from tests.real.served import Served

pytestmark = pytest.mark.real


@pytest.mark.parametrize("asked", [False, True])
def test_a_silent_tls_connection_does_not_hold_up_a_stop(tmp_path: Path, asked: bool) -> None:
    own = certified(tmp_path)
    trust = own.trust()
    served = Served(tmp_path, certificate=own.files, trust=trust)
    with (
        served.run() as process,
        socket.create_connection(("127.0.0.1", served.port)) as raw,
        trust.wrap_socket(raw, server_hostname="localhost") as silent,
    ):
        assert silent.version() in ("TLSv1.2", "TLSv1.3")
        if asked:
            silent.sendall(b"GET /jwks HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert silent.recv(65_536).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(seconds=20) == 0
        assert time.monotonic() - began < 6.0
        assert "Traceback" not in process.output
