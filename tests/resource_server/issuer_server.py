"""A small real authorization server on loopback: metadata, keys, introspection, key store, feed; faults to order."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from ostiary.errors import VerificationError
from ostiary.protocol import client_assertion, jws, token_format
from ostiary.protocol.credential import API, Credential
from ostiary.protocol.jwk import SigningKey
from tests.resource_server.feed_server import FeedServer

AUDIENCE = "https://orders.example.com"


class IssuerServer:
    """The state that the handler serves. Tests set its members; ``asked`` counts the requests by path."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.key = SigningKey.generate("ES256")
        self.api_key = SigningKey.generate("ES256")
        self.jwks: list[dict[str, object]] = [dict(self.key.verification_key.public_jwk())]
        self.max_age = 300
        self.claimed_issuer: str | None = None
        self.answers: dict[str, dict[str, object]] = {}
        self.client_keys: dict[tuple[str, str], dict[str, object]] = {}
        self.raw: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.down = False
        self.hold = threading.Event()
        self.hold.set()
        self.asked: Counter[str] = Counter()
        self.accepted: dict[str, str] = {}
        self.forms: list[dict[str, str]] = []
        self.traces: list[dict[str, object]] = []
        self.feed = FeedServer(self.issuer, self.key)

    def credential(self, audience: str = AUDIENCE) -> Credential:
        return Credential(API, self.issuer, "api_orders", self.api_key, audience)

    def reference(self, **claims: object) -> str:
        """A new reference token that is active with ``claims``."""
        token = token_format.generate(token_format.REFERENCE_ACCESS_TOKEN, "abcdef")
        self.answers[token] = {"active": True, "iss": self.issuer, **claims}
        return token

    def metadata(self) -> dict[str, object]:
        feed = {
            "ostiary_revocations_endpoint": f"{self.issuer}/revocations",
            "ostiary_revocations_applied_endpoint": f"{self.issuer}/revocations/applied",
        }
        return {
            **(feed if self.feed.published else {}),
            "issuer": self.claimed_issuer or self.issuer,
            "jwks_uri": f"{self.issuer}/jwks",
            "token_endpoint": f"{self.issuer}/token",
            "introspection_endpoint": f"{self.issuer}/introspect",
            "ostiary_client_keys_endpoint": f"{self.issuer}/client-keys",
            "ostiary_traces_endpoint": f"{self.issuer}/traces",
        }

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if self.down:
            return 500, {}, b"down"
        if path in self.raw:
            return self.raw[path]
        match path:
            case "/.well-known/oauth-authorization-server":
                return 200, {}, json.dumps(self.metadata()).encode()
            case "/jwks":
                return 200, {"Cache-Control": f"max-age={self.max_age}"}, json.dumps({"keys": self.jwks}).encode()
            case "/introspect" | "/client-keys" | "/traces":
                return self._to_the_api(path, form)
            case "/revocations":
                known = self._proved(form)
                error = "unknown_position" if known else "invalid_client"
                return (409 if known else 401), {}, json.dumps({"error": error}).encode()
            case "/revocations/applied":
                return self.feed.applied(form), {}, b""
        return 404, {}, b"{}"

    def stream(self, path: str, form: dict[str, str]) -> Iterator[bytes] | None:
        """What follows the head of the answer, if that is one that goes on."""
        if path != "/revocations" or self.down or path in self.raw or not self._proved(form):
            return None
        return self.feed.events(form)

    def _to_the_api(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if not self._proved(form):
            return 401, {}, b'{"error":"invalid_client"}'
        if path == "/introspect":
            return 200, {}, json.dumps(self.answers.get(form["token"], {"active": False})).encode()
        if path == "/traces":
            self.traces.extend(json.loads(form["traces"])["traces"])
            return 200, {}, b'{"stored":1}'
        empty = {"client_id": form["client"], "keys": []}
        return 200, {}, json.dumps(self.client_keys.get((form["client"], form.get("kid", "")), empty)).encode()

    def _proved(self, form: dict[str, str]) -> bool:
        try:
            client_assertion.verify(
                jws.parse(form.get("client_assertion", "")),
                self.api_key.verification_key,
                client_id="api_orders",
                issuer=self.issuer,
                now=time.time(),
                leeway=60,
            )
        except VerificationError:
            return False
        return True


def _handler(server: IssuerServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            server.forms.append(form)
            self._answer(form)

        def _answer(self, form: dict[str, str]) -> None:
            server.asked[self.path] += 1
            server.accepted[self.path] = self.headers.get("Accept", "")
            server.hold.wait(10)
            stream = server.stream(self.path, form)
            if stream is not None:
                self._stream(stream)
                return
            status, headers, body = server.answer(self.path, form)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):  # whoever asked has gone
                self.wfile.write(body)

        def _stream(self, events: Iterator[bytes]) -> None:
            self.close_connection = True
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            with suppress(OSError):
                for octets in events:
                    self.wfile.write(octets)

        def log_message(self, *_: object) -> None:
            """Nothing: the output belongs to the tests."""

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@contextmanager
def running_issuer() -> Iterator[IssuerServer]:
    """An authorization server for the length of the block."""
    http = _Server(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server = IssuerServer(http.server_address[1])
    http.RequestHandlerClass = _handler(server)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.hold.set()
        server.feed.cut()
        http.shutdown()
        http.server_close()
        thread.join(5)
