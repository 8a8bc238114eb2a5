"""A relay between an API and its authorization server that keeps every request line that passes: what the API asks."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time

_REQUEST = re.compile(rb"(?:GET|POST|HEAD|PUT|DELETE|PATCH|OPTIONS) (/\S*) HTTP/1\.1\r\n")


class Relay:
    """Listens on a port of its own and passes everything on to ``port``. seen: when which path was asked for."""

    def __init__(self, port: int) -> None:
        self.seen: list[tuple[float, str]] = []
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Where the API reaches its issuer."""
        return f"http://127.0.0.1:{self.port}"

    def since(self, moment: float) -> list[str]:
        """The paths asked for since ``moment``, monotonic seconds."""
        return [path for when, path in self.seen if when >= moment]

    def wait_until_quiet(self, seconds: float, *, longest: float = 20.0) -> None:
        """Return once nothing was asked for so long."""
        ends = time.monotonic() + longest
        while self.since(time.monotonic() - seconds) and time.monotonic() < ends:
            time.sleep(0.05)

    def close(self) -> None:
        """Take no further connection."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                there = socket.create_connection(("127.0.0.1", self._to))
                threading.Thread(target=self._pass_on, args=(here, there, True), daemon=True).start()
                threading.Thread(target=self._pass_on, args=(there, here, False), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, requests: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65_536):
                if requests:
                    self.seen += [(time.monotonic(), path.decode("latin-1")) for path in _REQUEST.findall(chunk)]
                sink.sendall(chunk)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
