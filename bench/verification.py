"""Verification of access tokens: the whole guard beside the bare signature check, PyJWT and joserfc."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from statistics import median
from typing import Any

import joserfc.jwk
import joserfc.jwt
import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from bench.figures import Figure, at_least, at_most, noise_of, paired_ratio
from ostiary.protocol import jws
from ostiary.protocol.jwk import SigningKey
from ostiary.protocol.strict_json import encode
from ostiary.resource_server import ApiRequest, ResourceServer
from ostiary.resource_server.keys import IssuerKeys

ISSUER, AUDIENCE, SCOPE = "https://issuer.example", "https://orders.example", "orders:read"
FRESH_GOAL, SEEN_GOAL = 1.25, 10.0

Contender = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Batch:
    """Tokens that nobody has seen before, in every form that a contender wants them in."""

    texts: list[str]
    requests: list[ApiRequest]
    signatures: list[tuple[bytes, bytes]]


def figures(*, rounds: int, tokens: int) -> list[Figure]:
    """Two figures with a goal, two beside others. rounds: interleaved; tokens: fresh ones in each round."""
    key = SigningKey.generate("ES256")
    guard = guard_of(key)
    times: dict[str, list[float]] = {name: [] for name in ("bare", "guard", "seen", "bare again", "pyjwt", "joserfc")}
    for number in range(rounds + 1):
        batch = batch_of(key, tokens, f"{number}-")
        for name, run in _contenders(guard, key, batch).items():
            spent = seconds(run, tokens)
            if number:  # the first round warms everything up
                times[name].append(spent / tokens)
    return _told(times)


def guard_of(key: SigningKey) -> ResourceServer:
    """A guard that trusts ``key`` and asks nobody."""
    guard = ResourceServer(issuer=ISSUER, audience=AUDIENCE, environment={}, traces=[], revocation="until_expiry")
    for issuer, source in list(guard.sources.keys.items()):
        held = guard.sources.keys[issuer] = IssuerKeys(source.config, guard.elapsed)
        held.hold([key.verification_key])
    return guard


def batch_of(key: SigningKey, count: int, stem: str) -> Batch:
    """``count`` new tokens of ``key``, whose ``jti`` begin with ``stem``."""
    texts = [_token(key, f"{stem}{number}") for number in range(count)]
    requests = [
        ApiRequest("GET", "/orders", headers=[(b"host", b"orders.example"), (b"authorization", f"Bearer {t}".encode())])
        for t in texts
    ]
    taken_apart = [jws.parse(text) for text in texts]
    return Batch(texts, requests, [(_der(one.signature), one.signing_input) for one in taken_apart])


def _token(key: SigningKey, jti: str) -> str:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": "bench-client",
        "aud": AUDIENCE,
        "client_id": "bench-client",
        "exp": now + 600,
        "iat": now,
        "jti": jti,
        "scope": SCOPE,
        "grant_id": "gr_01",
        "rev": 7,
    }
    return jws.sign(encode(claims), key, typ="at+jwt")


def _der(signature: bytes) -> bytes:
    return encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))


def _contenders(guard: ResourceServer, key: SigningKey, batch: Batch) -> dict[str, Contender]:
    public = key.verification_key.public_jwk()
    loaded: Any = jwt.PyJWK.from_dict(public).key
    algorithm, needed = ec.ECDSA(hashes.SHA256()), [SCOPE]
    joserfc_key = joserfc.jwk.ECKey.import_key({name: str(value) for name, value in public.items()})
    registry = joserfc.jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": ISSUER}, aud={"essential": True, "value": AUDIENCE}, exp={"essential": True}
    )

    def bare(number: int) -> None:
        signature, signing_input = batch.signatures[number]
        loaded.verify(signature, signing_input, algorithm)

    def by_guard(number: int) -> object:
        return guard.check_sync(batch.requests[number], needed)

    def by_pyjwt(number: int) -> object:
        options: Any = {"require": ["exp", "iat", "iss", "aud"]}
        return jwt.decode(
            batch.texts[number], loaded, algorithms=["ES256"], audience=AUDIENCE, issuer=ISSUER, options=options
        )

    def by_joserfc(number: int) -> None:
        token = joserfc.jwt.decode(batch.texts[number], joserfc_key, algorithms=["ES256"])
        registry.validate(token.claims)

    # "guard" sees each token for the first time, "seen" the same ones again.
    return {
        "bare": bare,
        "guard": by_guard,
        "seen": by_guard,
        "bare again": bare,
        "pyjwt": by_pyjwt,
        "joserfc": by_joserfc,
    }


def seconds(run: Contender, count: int) -> float:
    """How long ``count`` runs take."""
    started = time.perf_counter()
    for number, _ in enumerate(repeat(None, count)):
        run(number)
    return time.perf_counter() - started


def _told(times: dict[str, list[float]]) -> list[Figure]:
    bare, again = times["bare"], times["bare again"]
    noise = noise_of([*bare], [*again])
    same = paired_ratio(again, bare)
    base = f"bare verify {micro(bare)}"
    fresh, faster = paired_ratio(times["guard"], bare), paired_ratio(bare, times["seen"])
    beside = [
        Figure(f"verify a fresh token: {name}", micro(times[key]), base, paired_ratio(times[key], bare), noise)
        for name, key in (("PyJWT", "pyjwt"), ("joserfc", "joserfc"))
    ]
    return [
        Figure(
            "verify a fresh token: the guard",
            micro(times["guard"]),
            base,
            fresh,
            noise,
            f"at most {FRESH_GOAL}x",
            at_most(fresh, FRESH_GOAL),
            f"bare against bare {same:.2f}x",
        ),
        *beside,
        Figure(
            "a token seen before: the guard",
            micro(times["seen"]),
            base,
            faster,
            noise,
            f"at least {SEEN_GOAL:.0f}x faster",
            at_least(faster, SEEN_GOAL),
        ),
    ]


def micro(times: list[float]) -> str:
    """The median of seconds, readable."""
    return f"{1e6 * median(times):.1f} us"
