"""A process that revokes tokens one after the other, and notes how long it takes until each API refuses them.

Its guards are real: each one has its own thread that follows the feed, verifies every message, and is asked every
fifth of a millisecond whether it still admits the token. A clock runs from the moment at which the client sends its
request (RFC 7009) to the first refusal; what is in between is the server's authentication of the client, its durable
transaction, the wake-up, the signature, the way, its verification, and the look-up.
"""

from __future__ import annotations

import http.client
import sys
import time
from collections.abc import Callable, Sequence

import msgspec

from bench.assertions import presigned
from bench.light_followers import LightFollowers
from ostiary.protocol.credential import Credential
from ostiary.protocol.jwk import parse_private_key
from ostiary.resource_server import ApiRequest, IssuerConfig, Refused, ResourceServer
from ostiary.resource_server.http import Http, HttpRequest, HttpResponse

_LOOK = 0.0002
_PATIENCE = 30.0


class Order(msgspec.Struct, frozen=True):
    """followers: how many APIs; light: whether they only look for positions; how: ``revocation=`` of the real ones.

    key: the client's, a private JWK; credential: the API's. tokens: the client's for that API. seconds: it stops then.
    """

    port: int
    issuer: str
    client_id: str
    key: str
    credential: str
    scope: str
    tokens: list[str]
    followers: int
    how: str
    light: bool
    seconds: float


class Result(msgspec.Struct, frozen=True):
    """spans: for each revocation the seconds until the last API refuses. asked: requests of an API to the issuer while
    it decided about ``decided`` requests to it, in ``deciding`` seconds."""

    spans: list[float]
    asked: int = 0
    decided: int = 0
    deciding: float = 0.0


class _Counting(Http):
    """Counts what is asked, but not what a follower says it has applied: that follows a revocation, not a request."""

    sent = 0

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.sent += not request.url.endswith("/applied")
        return await super().send(request)

    def send_sync(self, request: HttpRequest) -> HttpResponse:
        self.sent += 1
        return super().send_sync(request)


def _guard(order: Order, http: Http) -> ResourceServer:
    config = IssuerConfig(
        order.issuer,
        internal_url=f"http://127.0.0.1:{order.port}",
        credential=Credential.parse(order.credential.encode()),
    )
    audience = Credential.parse(order.credential.encode()).audience
    return ResourceServer(
        issuer=config,
        audience=audience,
        environment={},
        traces=[],
        revocation="introspect" if order.how == "introspect" else "feed",
        introspection_ttl=0,
        http=http,
    )


def _request(token: str) -> ApiRequest:
    headers = [(b"host", b"orders.example"), (b"authorization", b"Bearer " + token.encode())]
    return ApiRequest("GET", "/orders", headers=headers)


class _Revocations:
    """Sends them over one connection. ``send`` gives the moment before, and leaves the answer to be read."""

    def __init__(self, order: Order, tokens: Sequence[str]) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", order.port, timeout=_PATIENCE)
        self._http.connect()
        key = parse_private_key(order.key)
        self._bodies = iter(presigned(key, order.client_id, order.issuer, {}, list(tokens), len(tokens)))

    def send(self) -> float:
        body, headers = next(self._bodies), {"content-type": "application/x-www-form-urlencoded"}
        began = time.perf_counter()
        self._http.request("POST", "/revoke", body, headers)
        return began

    def expect_done(self) -> None:
        answer = self._http.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"the revocation was answered {answer.status}: {body[:400]!r}")


def real(order: Order) -> Result:
    """With real guards."""
    http_port = _Counting()
    guards = [_guard(order, http_port if number == 0 else Http()) for number in range(order.followers)]
    half = len(order.tokens) // 2
    deciding, revoked = order.tokens[:half], order.tokens[half:]
    for guard in guards:
        guard.check_sync(_request(deciding[0]), [order.scope])
    sent, began = http_port.sent, time.perf_counter()
    for token in deciding[1:]:
        guards[0].check_sync(_request(token), [order.scope])
    spent, asked = time.perf_counter() - began, http_port.sent - sent
    revocations, spans = _Revocations(order, revoked), list[float]()
    gives_up = time.perf_counter() + order.seconds
    for token in revoked:
        request = _request(token)
        for guard in guards:
            guard.check_sync(request, [order.scope])
        spans.append(_until_refused(guards, request, order.scope, revocations.send))
        revocations.expect_done()
        if time.perf_counter() > gives_up:
            break
    return Result(spans, asked, len(deciding) - 1, spent)


def _until_refused(
    guards: Sequence[ResourceServer], request: ApiRequest, scope: str, send: Callable[[], float]
) -> float:
    began, admitting = send(), list(guards)
    while admitting:
        admitting = [guard for guard in admitting if _admits(guard, request, scope)]
        now = time.perf_counter()
        if now - began > _PATIENCE:
            raise RuntimeError("a revoked token is still admitted")
        if admitting:
            time.sleep(_LOOK)
    return now - began


def _admits(guard: ResourceServer, request: ApiRequest, scope: str) -> bool:
    try:
        guard.check_sync(request, [scope])
    except Refused as refused:
        if refused.status != 401:
            raise
        return False
    return True


def light(order: Order) -> Result:
    """With followers that look for positions alone."""
    credential = Credential.parse(order.credential.encode())
    followers = LightFollowers(order.port, credential.key, credential.client_id, order.issuer, order.followers)
    revocations, spans, position = _Revocations(order, order.tokens), list[float](), followers.position
    gives_up = time.perf_counter() + order.seconds
    for _ in order.tokens:
        position += 1
        began = revocations.send()
        spans.append(max(followers.wait_for(position)) - began)
        revocations.expect_done()
        if time.perf_counter() > gives_up:
            break
    followers.close()
    return Result(spans)


def main() -> None:
    """Read the order on standard input."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    result = light(order) if order.light else real(order)
    sys.stdout.buffer.write(msgspec.json.encode(result))
    sys.stdout.flush()
    # Threads of the guards follow until the process ends.


if __name__ == "__main__":
    main()
