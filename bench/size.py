"""Tokens, introspections and revocations beside very many clients and live tokens, and beside few: p50 and p99.

Both servers run at once and are asked in turn, by the same number of clients about the same number of tokens, so that
both keep as much in memory. Four connections ask, so that the server is measured and not the queue before it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

from bench.assertions import presigned
from bench.contenders import API, INVOICES, ORDERS, Contender, installed, started
from bench.crowd import Crowd
from bench.figures import Figure, at_most, noise_of, paired_ratio
from bench.following import post
from bench.load import Order, Result
from ostiary.protocol.jwk import SigningKey
from tests.real_parts.postgres import PostgresServer

GOAL: Final = 1.5
FEW: Final = 1000
KINDS: Final = ("token", "introspection", "revocation")
_CONNECTIONS: Final = 4


@dataclass(slots=True)
class Town:
    """A server and the crowd in its database. unspent: known tokens that nobody has revoked yet."""

    contender: Contender
    crowd: Crowd
    unspent: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.unspent = random.sample(self.crowd.known, len(self.crowd.known))

    def ask(self, kind: str, count: int) -> Result:
        """``count`` requests of one kind, each with an assertion of its own."""
        make: dict[str, Callable[[], str]] = {
            "token": self._token, "introspection": self._introspection, "revocation": self._revocation,
        }  # fmt: skip
        wanted = {"token": '"access_token":"', "introspection": '"active":true', "revocation": "{}"}
        requests = [make[kind]() for _ in range(count)]
        order = Order(
            port=self.contender.port, path="", issuer="", client_id="", key="", form={}, wanted=wanted[kind],
            seconds=40.0, count=count, connections=_CONNECTIONS, requests=requests,
        )  # fmt: skip
        return self.contender.load(order)[0]

    def _token(self) -> str:
        client_id = random.choice(list(self.crowd.keys))  # noqa: S311 - whose turn it is, is no secret
        resource = random.choice((ORDERS, INVOICES))  # noqa: S311 - as above
        form = {"grant_type": "client_credentials", "resource": resource, "scope": "orders:read"}
        return self._request("/token", client_id, self.crowd.keys[client_id], form)

    def _introspection(self) -> str:
        _, token = random.choice(self.unspent)  # noqa: S311 - as above
        return self._request("/introspect", API, self.contender.api_key, {"token": token})

    def _revocation(self) -> str:
        client_id, token = self.unspent.pop()
        return self._request("/revoke", client_id, self.crowd.keys[client_id], {"token": token})

    def _request(self, path: str, client_id: str, key: SigningKey, form: dict[str, str]) -> str:
        body = presigned(key, client_id, self.contender.issuer, form, [], 1)[0].decode()
        return post(path, self.contender.port, {}, body).decode("latin-1")


def figures(folder: Path, *, clients: int, tokens: int, rounds: int, count: int) -> Iterator[Figure]:
    """On SQLite and on PostgreSQL, each kind. clients, tokens: of the large one; count: requests in a round."""
    for name in ("SQLite", "PostgreSQL"):
        with ExitStack() as parts:
            server = parts.enter_context(PostgresServer(fsync=True)) if name == "PostgreSQL" else None
            few = min(FEW, max(1, clients // 10))
            towns = []
            crowds = (Crowd(clients, tokens, asked=few), Crowd(few, few * tokens // clients, asked=few))
            for place, crowd in zip(("many", "few"), crowds, strict=True):
                at = folder / f"{name}-{place}"
                url = server.fresh_database() if server else f"sqlite:///{at.absolute()}/ostiary.db"
                towns.append(Town(parts.enter_context(_settled(at, url, crowd)), crowd))
            yield from _compared(name, *towns, rounds=rounds, count=count)


class _settled(ExitStack):  # noqa: N801 - used like a function
    """A server with the crowd in its database: one makes the tables, then they are filled, then another serves them."""

    def __init__(self, folder: Path, url: str, crowd: Crowd) -> None:
        super().__init__()
        self._given = folder, url, crowd

    def __enter__(self) -> Contender:  # type: ignore[override]
        folder, url, crowd = self._given
        keys = installed(folder)
        with started(folder, keys, database=url):
            pass
        crowd.move_in(url)
        return self.enter_context(started(folder, keys, database=url))


def _compared(name: str, many: Town, few: Town, *, rounds: int, count: int) -> Iterator[Figure]:
    """Rounds that alternate; the first one warms both up."""
    most = min(len(town.unspent) for town in (many, few)) // (rounds + 2)
    for kind in KINDS:
        done: list[tuple[Result, Result]] = []
        for _ in range(rounds + 1):
            asked = min(count, most) if kind == "revocation" else count
            done.append((many.ask(kind, asked), few.ask(kind, asked)))
        del done[0]
        for label, series in (
            ("p50", [[one.median_ms for one in both] for both in zip(*done, strict=True)]),
            ("p99", [[one.p99_ms for one in both] for both in zip(*done, strict=True)]),
        ):
            yield _figure(f"{kind} request, {label} ({name})", series[0], series[1], many.crowd, few.crowd)


def _figure(name: str, large: list[float], small: list[float], many: Crowd, few: Crowd) -> Figure:
    ratio = paired_ratio(large, small)
    return Figure(
        name,
        f"{median(large):.1f} ms",
        f"with {few.clients:,} clients {median(small):.1f} ms",
        ratio,
        noise_of(large, small),
        f"at most {GOAL}x",
        at_most(ratio, GOAL),
        f"{many.clients:,} clients and {many.tokens:,} live tokens, beside {few.clients:,} and {few.tokens:,};"
        f" {_CONNECTIONS} connections, {len(many.keys):,} clients ask at each",
    )
