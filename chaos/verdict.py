"""What is in the database and what is told, compared with what was answered."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import psycopg

from bench import people
from chaos.cluster import Cluster
from chaos.ledger import Chain, Ledger, Outcome
from ostiary.protocol import jws

SAMPLE = 200
_OUTCOMES: tuple[Outcome, ...] = ("answered", "refused", "for cause", "unanswered")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What must be empty: lost: acknowledged writes that are gone; twice, late: see ``Ledger``; audit: what its
    verification complained of. chains: how many refresh tokens were tried for it."""

    lost: list[str]
    twice: list[str]
    late: list[str]
    audit: list[str]
    chains: int

    @property
    def good(self) -> bool:
        """Whether nothing went wrong that must not."""
        return not (self.lost or self.twice or self.late or self.audit)


def judge(cluster: Cluster, ledger: Ledger, database: str) -> Verdict:
    """Compare; database: the URL of the one that is the truth now."""
    chains = [chain for chain in ledger.chains if chain.certain][-20:]
    lost = _lost_rows(ledger, database) + _told_otherwise(cluster, ledger) + _lost_chains(cluster, chains)
    return Verdict(lost, ledger.redeemed_twice, ledger.admitted_late, _audit(cluster), len(chains))


def _jti(token: str) -> str:
    return str(jws.parse(token).claims()["jti"])


def _lost_rows(ledger: Ledger, database: str) -> list[str]:
    """Tokens and revocations that were answered and are not in the database."""
    with psycopg.connect(database) as connection:
        tokens = {row[0] for row in connection.execute("SELECT jti FROM access_tokens")}
        ended = {row[0] for row in connection.execute("SELECT value FROM revocations WHERE kind = 'jti'")}
    lost = [f"the token {_jti(token)}" for token in ledger.tokens if _jti(token) not in tokens]
    return lost + [f"the revocation of {_jti(token)}" for token in ledger.revoked if _jti(token) not in ended]


def _told_otherwise(cluster: Cluster, ledger: Ledger) -> list[str]:
    """Of some, what introspection says now: a revoked one is not active, the others are."""
    served, wrong = cluster.served, []
    standing = (token for token in reversed(ledger.tokens) if token not in ledger.revoked)
    with served.http() as http:
        for token in islice(standing, SAMPLE):
            if served.introspect(http, token)["active"] is not True:
                wrong.append(f"the token {_jti(token)} is told to be inactive")
        for token in islice(reversed(ledger.revoked), SAMPLE):
            if served.introspect(http, token)["active"] is not False:
                wrong.append(f"the revoked token {_jti(token)} is told to be active")
    return wrong


def _lost_chains(cluster: Cluster, chains: list[Chain]) -> list[str]:
    """Refresh tokens that were answered last, never used, and do not work."""
    lost = []
    for chain in chains:
        form = {"grant_type": "refresh_token", "refresh_token": chain.last, "client_id": people.APPLICATION}
        answer = cluster.served.ask("/token", form)
        if answer.status_code != 200:
            lost.append(f"a refresh token: {answer.text}")
    return lost


def _audit(cluster: Cluster) -> list[str]:
    """Nothing altered, nothing removed, though its writers died in the middle."""
    try:
        cluster.served.ostiary("audit", "verify")
    except AssertionError as error:
        return [str(error)]
    return []


def table(ledger: Ledger, verdict: Verdict) -> str:
    """For people: requests by kind and outcome, then what must be 0."""
    lines = [f"{'':16}" + "".join(f"{outcome:>12}" for outcome in ("requests", *_OUTCOMES))]
    for kind in sorted({kind for kind, _ in ledger.outcomes}):
        counts = [ledger.outcomes[kind, outcome] for outcome in _OUTCOMES]
        lines.append(f"{kind:16}" + "".join(f"{number:>12,}" for number in (sum(counts), *counts)))
    lines += ["", "refusals for cause, and other refusals that say why:"]
    lines += [f"  {count:>8,}  {cause}" for cause, count in ledger.causes.most_common(12)]
    lines += ["", _latency(ledger), f"used at the end, refresh tokens of which all is known: {verdict.chains}", ""]
    for name, found in (
        ("lost acknowledged writes", verdict.lost),
        ("double redemptions", verdict.twice),
        ("revoked tokens admitted past the bound", verdict.late),
        ("complaints of the audit log", verdict.audit),
    ):
        lines += [f"{name:42}{len(found)}", *(f"    {one}" for one in found[:5])]
    return "\n".join(lines)


def _latency(ledger: Ledger) -> str:
    seen = sorted(ledger.latencies)
    if not seen:
        return "no revocation was seen by an API"
    places = [seen[min(len(seen) - 1, int(len(seen) * share))] for share in (0.5, 0.99, 1.0)]
    told = ", ".join(
        f"{name} {seconds * 1000:,.0f} ms" for name, seconds in zip(("p50", "p99", "max"), places, strict=True)
    )
    return f"from the answer to a revocation until an API refused, faults and all: {told} of {len(seen):,}"
