"""Where a native application takes its user back: a loopback address and a port of the moment (RFC 8252 7.3)."""

from __future__ import annotations

import hmac
import http.server
import threading
from concurrent.futures import Future
from types import TracebackType

from ostiary.client.authorization_response import parameters_of
from ostiary.errors import Unavailable, VerificationError

_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Connection": "close",
}
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>{title}</title>
<body style="font-family:system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem">
<h1>{title}</h1><p>{text}</p></body></html>
"""
_DONE = _PAGE.format(title="Back to your application", text="You can close this window.")
_NOT_FOR_US = _PAGE.format(title="Not for this sign-in", text="Begin the sign-in again in your application.")
_REQUEST_SECONDS = 5.0
_MAX_TARGET = 16_384


class LoopbackListener:
    """Listens on 127.0.0.1 while it is entered; ``redirect_uri`` is what the authorization request names.

    path: of the redirect URI, as registered, such as ``"/callback"``. Whatever knocks at the port beside the one answer
    that is expected, such as a page of somebody else in the same browser, is told nothing and ends nothing.
    """

    def __init__(self, path: str = "/callback") -> None:
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            timeout = _REQUEST_SECONDS

            def do_GET(self) -> None:
                parameters = listener._expected(self.path)
                try:
                    self._tell(*((404, _NOT_FOR_US) if parameters is None else (200, _DONE)))
                except OSError:
                    self.close_connection = True  # The browser has gone without its page; what it brought is good.
                # Not before the browser has its page: the application may end the process as soon as it goes on.
                if parameters is not None and not listener._answer.done():
                    listener._answer.set_result(parameters)

            def _tell(self, status: int, page: str) -> None:
                body = page.encode()
                self.send_response(status)
                for name, value in {**_HEADERS, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing: the path holds the code."""

        self._path = path
        self._state = ""
        self._answer: Future[dict[str, str]] = Future()
        # RFC 8252 7.3: the server lets the port of a loopback address vary; 8.3: "the use of localhost is NOT
        # RECOMMENDED". Connections that a browser opens ahead and leaves silent hold nobody up: each has a thread.
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.redirect_uri = f"http://127.0.0.1:{self._server.server_address[1]}{path}"

    def expect(self, state: str) -> None:
        """From now on the answer that carries ``state`` is taken; say so before the browser is sent off."""
        self._state = state

    def wait(self, *, seconds: float = 300.0) -> dict[str, str]:
        """The parameters of the expected answer. Raises Unavailable if it does not come within ``seconds``."""
        try:
            return self._answer.result(seconds)
        except TimeoutError:
            raise Unavailable("browser", f"nobody came back from it within {seconds:.0f} s") from None

    def _expected(self, target: str) -> dict[str, str] | None:
        if len(target) > _MAX_TARGET or target.partition("?")[0] != self._path:
            return None
        try:
            parameters = parameters_of(target)
        except VerificationError:
            return None
        state = parameters.get("state", "")
        return parameters if self._state and hmac.compare_digest(state.encode(), self._state.encode()) else None

    def __enter__(self) -> LoopbackListener:
        serve = {"poll_interval": 0.05}
        threading.Thread(target=self._server.serve_forever, kwargs=serve, name="ostiary-loopback", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
