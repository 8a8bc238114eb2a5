"""Applications of a test under real servers in its own process: uvicorn and wsgiref."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler as PlainRequestHandler
from wsgiref.simple_server import make_server

import httpx2
import uvicorn
from werkzeug.serving import WSGIRequestHandler
from werkzeug.serving import make_server as make_werkzeug_server


@contextmanager
def served_asgi(
    app: Any, *, tls: ssl.SSLContext | None = None, http: Any = "auto", unix_socket: Path | None = None
) -> Iterator[str]:
    """The URL of ``app`` under uvicorn. http: the class of uvicorn's protocol; unix_socket: where to listen instead."""
    with socket.socket(socket.AF_INET if unix_socket is None else socket.AF_UNIX) as listener:
        listener.bind(("127.0.0.1", 0) if unix_socket is None else str(unix_socket))
        factory = None if tls is None else lambda *_: tls
        config = uvicorn.Config(
            app, http=http, log_level="error", lifespan="on", ws="none", ssl_context_factory=factory
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        try:
            place = "api" if unix_socket is not None else f"127.0.0.1:{listener.getsockname()[1]}"
            yield f"{'http' if tls is None else 'https'}://{place}"
        finally:
            server.should_exit = True
            thread.join(10)


@contextmanager
def served_by_werkzeug(app: Any, *, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The URL of ``app`` under Werkzeug's server, which drops names with underscores and tells of certificates."""
    server = make_werkzeug_server("127.0.0.1", 0, app, threaded=True, ssl_context=tls, request_handler=_Silent)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Silent(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        """Nothing: the output belongs to the tests."""


class _Quiet(PlainRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing: the output belongs to the tests."""


@contextmanager
def served_wsgi(app: Any) -> Iterator[str]:
    """The URL of ``app`` under the server of the standard library."""
    server = make_server("127.0.0.1", 0, app, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def get(url: str, token: str | None = None, **headers: str) -> httpx2.Response:
    """GET without proxies."""
    with httpx2.Client(trust_env=False) as client:
        authorization = {} if token is None else {"Authorization": f"Bearer {token}"}
        return client.get(url, headers={**authorization, **headers})
