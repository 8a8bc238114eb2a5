"""What a test of the guard needs at hand."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ostiary.protocol import client_request_jwt, jws, strict_json
from ostiary.protocol.jwk import SigningKey
from ostiary.replay.memory import ProcessReplayMemory
from ostiary.resource_server import ApiRequest, Principal, Refused, ResourceServer
from ostiary.trace import TraceRecord
from ostiary.trace_sinks import MemorySink
from tests.resource_server.issuer_server import AUDIENCE, IssuerServer

DIRECT = "Ostiary-Client-JWT"


class Clock:
    """Stands still at the time of its making until a test moves it: ``now += 5`` lets 5 seconds pass."""

    def __init__(self) -> None:
        self.now = float(int(time.time()))
        self._set = 0.0

    def __call__(self) -> float:
        return self.now

    def elapsed(self) -> float:
        """The time that really passed, whatever the clock was set to."""
        return self.now - self._set

    def set(self, by: float) -> None:
        """Set the clock by so many seconds, back where negative; no time passes."""
        self.now += by
        self._set += by


def request(*headers: tuple[str, str], method: str = "GET", path: str = "/orders", query: str = "") -> ApiRequest:
    pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return ApiRequest(method, path, headers=pairs, query=query.encode("latin-1"))


def bearer(token: str) -> ApiRequest:
    return request(("Authorization", f"Bearer {token}"))


@dataclass
class World:
    """One issuer, one clock, the refusals so far. options: what each guard is told beside the rest."""

    issuer: IssuerServer
    clock: Clock
    sink: MemorySink
    folder: Path
    options: dict[str, Any] = field(default_factory=dict)
    guards: list[ResourceServer] = field(default_factory=list)

    def guard(self, *, identity: bool = False, direct: bool = False, **options: Any) -> ResourceServer:
        """A guard of AUDIENCE that trusts the issuer. identity: with its own key; direct: taking client JWTs."""
        settings: dict[str, Any] = {
            "issuer": self.issuer.issuer,
            "audience": AUDIENCE,
            "credential": self.issuer.credential() if identity or direct else None,
            "accept_client_requests": direct,
            "replay": ProcessReplayMemory() if direct else None,
            "traces": self.sink,
            "clock": self.clock,
            "elapsed": self.clock.elapsed,
            "environment": {},
            "revocation": "until_expiry",
            **self.options,
        }
        guard = ResourceServer(**{**settings, **options})
        self.guards.append(guard)
        return guard

    def following(self, **options: Any) -> ResourceServer:
        """A guard with its own key that follows the issuer's revocation feed."""
        return self.guard(**{"identity": True, "revocation": "feed", **options})

    def close(self) -> None:
        """End the threads of its guards."""
        for guard in self.guards:
            guard.close()

    def claims(self, **changed: Any) -> dict[str, object]:
        """The claims of a good access token, changed; None leaves one out."""
        now = int(self.clock.now)
        usual: dict[str, object] = {
            "iss": self.issuer.issuer,
            "sub": "orders-client",
            "aud": AUDIENCE,
            "client_id": "orders-client",
            "exp": now + 300,
            "iat": now,
            "jti": "jti-1",
            "scope": "orders:read",
            "grant_id": "gr_1",
            "rev": 7,
        }
        return {name: value for name, value in {**usual, **changed}.items() if value is not None}

    def token(self, *, key: SigningKey | None = None, typ: str = "at+jwt", **changed: Any) -> str:
        """A good access token, changed."""
        return jws.sign(strict_json.encode(self.claims(**changed)), key or self.issuer.key, typ=typ)

    def client_key(self, client_id: str = "orders-client", scopes: tuple[str, ...] = ("orders:read",)) -> SigningKey:
        """A new key of a client, known to the key store."""
        key = SigningKey.generate("ES256")
        self.issuer.client_keys[client_id, key.kid] = {
            "client_id": client_id,
            "keys": [key.verification_key.public_jwk()],
            "scopes": {AUDIENCE: list(scopes)},
        }
        return key

    def direct(
        self, key: SigningKey, *, client_id: str = "orders-client", typ: str = client_request_jwt.TYP, **changed: Any
    ) -> str:
        """A good client JWT for GET AUDIENCE/orders, changed."""
        now = int(self.clock.now)
        usual: dict[str, object] = {
            "iss": client_id,
            "sub": client_id,
            "aud": AUDIENCE,
            "htm": "GET",
            "htu": f"{AUDIENCE}/orders",
            "jti": f"direct-{len(changed)}-{key.kid}",
            "iat": now,
            "exp": now + 30,
        }
        members = {name: value for name, value in {**usual, **changed}.items() if value is not None}
        return jws.sign(strict_json.encode(members), key, typ=typ)

    def refusal(self, guard: ResourceServer, asked: ApiRequest, *scopes: str) -> tuple[Refused, TraceRecord]:
        """How ``guard`` refuses ``asked``: the answer and its trace. Fails if it admits."""
        try:
            principal = guard.check_sync(asked, scopes)
        except Refused as refused:
            record = self.sink.find(refused.trace_id)
            if record is None:
                raise AssertionError("a refusal without a trace") from refused
            return refused, record
        raise AssertionError(f"admitted {principal}")


def failed_check(record: TraceRecord) -> str:
    """The one check that failed, which is the last one."""
    if [check.passed for check in record.checks] != [True] * (len(record.checks) - 1) + [False]:
        raise AssertionError(f"not a story of one failure at its end: {record.checks}")
    return record.checks[-1].name


__all__ = ["AUDIENCE", "DIRECT", "Clock", "Principal", "World", "bearer", "failed_check", "request"]
