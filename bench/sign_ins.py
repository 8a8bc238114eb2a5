"""What users cost: the code exchange, the refresh, userinfo and a password sign-in, and what sign-ins do to others.

Codes, refresh tokens and browsers that stand before the form are made before the clock starts, so each endpoint is
measured alone; a sign-in goes from the sent form to the code at the application's address.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from statistics import median
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from bench.browsers import authorize_url, sign_in_requests, signed_in
from bench.contenders import ORDERS, Contender
from bench.figures import Figure, noise_of, paired_ratio
from bench.following import get, post
from bench.load import Order, Result
from bench.people import APPLICATION, REDIRECT_URI, USERS, VERIFIER
from bench.throughput import Rounds, beside

EXCHANGE, REFRESH, USERINFO, SIGN_IN = "code exchanges/s", "refreshes/s", "userinfo/s", "password sign-ins/s"
AT_ONCE = 50
_TOKEN = '"access_token":"'
# A second, before anything is known: so much is made ready for the first round.
_GUESSES = {EXCHANGE: 1500.0, REFRESH: 1500.0, USERINFO: 4000.0, SIGN_IN: 90.0}


@dataclass(slots=True)
class Site:
    """A server, a browser in which somebody is signed in there, and how much of each kind it does in a second."""

    contender: Contender
    guesses: dict[str, float] = field(default_factory=_GUESSES.copy)
    cookies: dict[str, str] = field(default_factory=dict)

    def play(self, seconds: float, *, settle: bool) -> dict[str, tuple[Result, float]]:
        """Each kind once, for ``seconds``: what came of it, and the CPU seconds of the server."""
        count = {kind: int(guess * seconds) for kind, guess in self.guesses.items()}
        loads: dict[str, tuple[Result, float]] = {}
        codes = self._codes(count[EXCHANGE])
        loads[EXCHANGE] = self._load([self._redemption(code) for code in codes], seconds, settle, keep=len(codes))
        tokens = [json.loads(body) for body in loads[EXCHANGE][0].bodies]
        loads[REFRESH] = self._load([self._refresh(one["refresh_token"]) for one in tokens], seconds, settle)
        asked = islice(cycle(tokens), count[USERINFO])
        questions = [self._question(one["access_token"]) for one in asked]
        loads[USERINFO] = self._load(questions, seconds, settle, wanted='"sub":"')
        browsers = sign_in_requests(self.contender.port, self.contender.authorization_path, count[SIGN_IN])
        loads[SIGN_IN] = self._load(browsers, seconds, settle, ends_at=REDIRECT_URI)
        for kind, (result, _) in loads.items():
            self.guesses[kind] = 1.7 * result.rate
        return loads

    def hashing(self, seconds: float) -> Order:
        """``AT_ONCE`` sign-ins at any moment, for longer than ``seconds``."""
        count = AT_ONCE + int(max(self.guesses[SIGN_IN], _GUESSES[SIGN_IN]) * (seconds + 1.0))
        browsers = sign_in_requests(self.contender.port, self.contender.authorization_path, count)
        return self._order(browsers, seconds, ends_at=REDIRECT_URI, connections=AT_ONCE)

    def _codes(self, count: int) -> list[str]:
        path, port = self.contender.authorization_path, self.contender.port
        self.cookies = self.cookies or signed_in(port, path, USERS[0])
        asked = [get(authorize_url(path), port, self.cookies).decode("latin-1")] * count
        result, _ = self.contender.load(self._order(asked, 40.0, keep=count, ends_at=REDIRECT_URI))
        return [parse_qs(urlsplit(address).query)["code"][0] for address in result.bodies]

    def _redemption(self, code: str) -> str:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI}
        return self._token_request(form | {"code_verifier": VERIFIER})

    def _refresh(self, token: str) -> str:
        return self._token_request({"grant_type": "refresh_token", "refresh_token": token})

    def _token_request(self, form: dict[str, str]) -> str:
        encoded = urlencode({"client_id": APPLICATION, **form})
        return post(self.contender.token_path, self.contender.port, {}, encoded).decode("latin-1")

    def _question(self, token: str) -> str:
        asked = get(self.contender.userinfo_path, self.contender.port, {}, authorization=f"Bearer {token}")
        return asked.decode("latin-1")

    def _load(
        self,
        requests: list[str],
        seconds: float,
        settle: bool,
        *,
        keep: int = 0,
        ends_at: str = "",
        wanted: str = _TOKEN,
    ) -> tuple[Result, float]:
        order = self._order(requests, seconds, keep=keep, ends_at=ends_at, wanted=wanted)
        return self.contender.load(order, settle=settle)

    def _order(
        self,
        requests: list[str],
        seconds: float,
        *,
        keep: int = 0,
        ends_at: str = "",
        wanted: str = "",
        connections: int = 32,
    ) -> Order:
        return Order(
            port=self.contender.port,
            path="",
            issuer=self.contender.issuer,
            client_id=APPLICATION,
            key="",
            form={},
            wanted=wanted,
            seconds=seconds,
            count=len(requests),
            connections=connections,
            keep=keep,
            requests=requests,
            ends_at=ends_at,
        )


def beside_peer(sites: Sequence[Site], *, rounds: int, seconds: float, settle: bool) -> list[Figure]:
    """Each kind beside the peer, in rounds that alternate; the first one warms up (not in the short form)."""
    done = {kind: [Rounds() for _ in sites] for kind in _GUESSES}
    for number in range(0 if settle else 1, rounds + 1):
        for place, site in enumerate(sites):
            for kind, (result, cpu) in site.play(seconds if number else 0.7, settle=settle).items():
                if number:
                    done[kind][place].add(result, cpu)
    return [figure for kind, (mine, other) in done.items() for figure in beside(kind, mine, other)]


def while_hashing(site: Site, *, rounds: int, seconds: float) -> Figure:
    """How long others wait for their token while ``AT_ONCE`` sign-ins are hashed at once, beside none."""
    calm, busy, signed = [], [], []
    for _ in range(rounds):
        order = msgspec.structs.replace(
            site.contender.order(ORDERS, seconds=seconds, count=int(4000 * seconds)), connections=4
        )
        calm.append(site.contender.load(order)[0].p99_ms)
        order = msgspec.structs.replace(order, background=site.hashing(seconds))
        result, _ = site.contender.load(order)
        busy.append(result.p99_ms)
        signed.append(result.behind / result.seconds)
    return Figure(
        f"p99 of a token while {AT_ONCE} sign-ins hash: {site.contender.name}",
        f"{median(busy):.1f} ms",
        f"without {median(calm):.1f} ms",
        paired_ratio(busy, calm),
        noise_of(calm, busy),
        remark=f"four connections ask for tokens; {median(signed):.0f} sign-ins/s end meanwhile",
    )
