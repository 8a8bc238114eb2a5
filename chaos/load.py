"""Callers that go on whatever breaks: clients, applications that refresh, those who revoke, and callers of the APIs.

What has to have one winner is asked at two nodes at once. A caller who hears nothing asks again, as clients do.
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import parse_qs, urlsplit

import httpx2

from bench import people
from bench.browsers import ask, authorize_url, signed_in
from bench.following import get, location
from chaos.cluster import MAX_STALENESS, Api, Cluster
from chaos.ledger import Chain, Ledger
from ostiary.protocol import client_assertion

PATIENCE = 15.0
_PAUSE = 0.02
_FOR_CAUSE = (429, 502, 503, 504)
_TLS = httpx2.create_ssl_context()  # unused by http, and 30 ms to make for each client


@dataclass(slots=True)
class Load:
    """The callers of one run. start them, end them; the ledger holds what they were told."""

    cluster: Cluster
    ledger: Ledger
    clients: int = 3
    applications: int = 2
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _to_see_refused: list[queue.SimpleQueue[str]] = field(default_factory=list)
    _of_thread: threading.local = field(default_factory=threading.local)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2 * 4))
    _random: random.Random = field(default_factory=lambda: random.Random(11))  # noqa: S311 - which node comes next

    def start(self) -> None:
        """Begin. People sign in first, while nothing is broken."""
        browsers = [signed_in(self.cluster.front, "/authorize", people.USERS[n]) for n in range(self.applications)]
        self._begin(*(self._ask_for_tokens for _ in range(self.clients)))
        self._begin(*(partial(self._use_an_application, cookies) for cookies in browsers))
        self._begin(self._revoke)
        for api in self.cluster.apis:
            seen: queue.SimpleQueue[str] = queue.SimpleQueue()
            self._to_see_refused.append(seen)
            self._begin(partial(self._call, api), partial(self._watch, api, seen))

    def end(self) -> None:
        """Stop asking and wait for the answers that are due."""
        self._over.set()
        for thread in self._threads:
            thread.join(2 * PATIENCE)
        self._pool.shutdown()

    def _begin(self, *callers: Callable[[], None]) -> None:
        for caller in callers:
            thread = threading.Thread(target=caller, daemon=True)
            self._threads.append(thread)
            thread.start()

    # -- clients ------------------------------------------------------------------------------------------------------

    def _ask_for_tokens(self) -> None:
        with self._at_the_door() as http:
            while not self._over.wait(_PAUSE):
                assertion = self.cluster.served.assertion()
                form = self.cluster.served.form(assertion)
                first = self._post(http, "token", "/token", form)
                if first is not None and first.status_code == 200:
                    self.ledger.add_token(str(first.json()["access_token"]))
                # The same proof at another node: whatever became of the first, it is good for one token in all.
                second = self._at_some_node("replayed proof", "/token", form)
                if second is None or second.status_code != 200:
                    continue
                self.ledger.add_token(str(second.json()["access_token"]))
                if first is not None and first.status_code == 200:
                    self.ledger.redeemed_twice.append(f"the proof {assertion[-12:]}")

    # -- applications -------------------------------------------------------------------------------------------------

    def _use_an_application(self, cookies: dict[str, str]) -> None:
        while not self._over.wait(_PAUSE):
            self._redeem_twice(cookies)
            code = self._code(cookies)
            if code is not None:
                answer = self._at_some_node("code", "/token", self._redemption(code))
                if answer is not None and answer.status_code == 200:
                    self._refresh(Chain(str(answer.json()["refresh_token"])))

    def _redeem_twice(self, cookies: dict[str, str]) -> None:
        """One code at two nodes at once: it is good once, and its second use ends what came of the first."""
        code = self._code(cookies)
        if code is None:
            return
        answers = self._at_two_nodes("code, twice", self._redemption(code))
        good = sum(answer.status_code == 200 for answer in answers)
        if good > 1:
            self.ledger.redeemed_twice.append(f"a code was good {good} times")

    def _redemption(self, code: str) -> dict[str, str]:
        return {
            "grant_type": "authorization_code",
            "client_id": people.APPLICATION,
            "code": code,
            "redirect_uri": people.REDIRECT_URI,
            "code_verifier": people.VERIFIER,
        }

    def _refresh(self, chain: Chain) -> None:
        """A dozen refreshes, each at two nodes at once: they give one successor, or end the family."""
        self.ledger.chains.append(chain)
        for _ in range(12):
            if self._over.wait(_PAUSE):
                return
            form = {"grant_type": "refresh_token", "refresh_token": chain.last, "client_id": people.APPLICATION}
            answers = self._at_two_nodes("refresh", form)
            found = {str(answer.json()["refresh_token"]) for answer in answers if answer.status_code == 200}
            if len(found) > 1:
                self.ledger.redeemed_twice.append(f"a refresh token gave {len(found)} successors")
            # What was not answered may be done much later, by a node that stood still: a used token that comes late.
            chain.certain = chain.certain and len(answers) == 2 and all(answer.status_code == 200 for answer in answers)
            if not found:
                return
            chain.last = found.pop()

    def _code(self, cookies: dict[str, str]) -> str | None:
        port = self.cluster.front
        try:
            head, _ = ask(port, get(authorize_url("/authorize"), port, cookies))
        except (OSError, ValueError):
            self.ledger.note("authorization", "unanswered")
            return None
        codes = parse_qs(urlsplit(location(head)).query).get("code")
        if not codes:
            self.ledger.note("authorization", "for cause", head[9:12].decode("latin-1"))
            return None
        self.ledger.note("authorization", "answered")
        return codes[0]

    def _at_two_nodes(self, kind: str, form: dict[str, str]) -> list[httpx2.Response]:
        nodes = self._random.sample(self.cluster.nodes, 2)
        asked = [self._pool.submit(self._at, node.served.port, kind, "/token", form) for node in nodes]
        return [answer for one in asked if (answer := one.result()) is not None]

    # -- those who revoke ---------------------------------------------------------------------------------------------

    def _revoke(self) -> None:
        with self._at_the_door() as http:
            while not self._over.wait(5 * _PAUSE):
                token = self.ledger.some_token()
                if token is None:
                    continue
                proof = self.cluster.served.assertion()
                form = {"token": token, "client_assertion_type": client_assertion.ASSERTION_TYPE}
                answer = self._post(http, "revocation", "/revoke", form | {"client_assertion": proof})
                if answer is not None and answer.status_code == 200:
                    self.ledger.add_revocation(token)
                    for waiting in self._to_see_refused:
                        waiting.put(token)

    # -- callers of the APIs ------------------------------------------------------------------------------------------

    def _call(self, api: Api) -> None:
        with httpx2.Client(timeout=PATIENCE, verify=_TLS, trust_env=False) as http:
            while not self._over.wait(_PAUSE):
                token = self.ledger.some_revoked() if self._random.random() < 0.5 else self.ledger.some_token()
                if token is not None:
                    self._called(http, api, token)

    def _watch(self, api: Api, revoked: queue.SimpleQueue[str]) -> None:
        """Call with what was revoked just now until it is refused."""
        with httpx2.Client(timeout=PATIENCE, verify=_TLS, trust_env=False) as http:
            while not self._over.is_set():
                try:
                    token = revoked.get(timeout=0.2)
                except queue.Empty:
                    continue
                while self._called(http, api, token) not in (401, 0) and not self._over.is_set():
                    pass
                self.ledger.latencies.append(time.monotonic() - self.ledger.revoked[token])

    def _called(self, http: httpx2.Client, api: Api, token: str) -> int:
        """The status of the answer, 0 for none."""
        began = time.monotonic()
        try:
            status = http.get(api.url, headers={"Authorization": f"Bearer {token}"}).status_code
        except httpx2.HTTPError:
            self.ledger.note("API call", "unanswered")
            return 0
        ended = self.ledger.revoked.get(token)
        if status == 503:
            self.ledger.note("API call", "for cause", "503")
        elif status == 200:
            self.ledger.note("API call", "answered")
            if ended is not None and began > ended + MAX_STALENESS:
                self.ledger.admitted_late.append(f"{began - ended:.1f} s after its revocation was answered")
        else:
            self.ledger.note("API call", "refused", "" if ended is not None else f"{status} for a token not revoked")
        return status

    # -- asking -------------------------------------------------------------------------------------------------------

    def _at_the_door(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.cluster.url, timeout=PATIENCE, verify=_TLS, trust_env=False)

    def _at_some_node(self, kind: str, path: str, form: dict[str, str]) -> httpx2.Response | None:
        return self._at(self._random.choice(self.cluster.nodes).served.port, kind, path, form)

    def _at(self, port: int, kind: str, path: str, form: dict[str, str]) -> httpx2.Response | None:
        clients: dict[int, httpx2.Client] = self._of_thread.__dict__.setdefault("clients", {})
        if port not in clients:
            base_url = f"http://127.0.0.1:{port}"
            clients[port] = httpx2.Client(base_url=base_url, timeout=4.0, verify=_TLS, trust_env=False)
        return self._post(clients[port], kind, path, form)

    def _post(self, http: httpx2.Client, kind: str, path: str, form: dict[str, str]) -> httpx2.Response | None:
        try:
            answer = http.post(path, data=form)
        except httpx2.HTTPError:
            self.ledger.note(kind, "unanswered")
            return None
        if answer.status_code == 200:
            self.ledger.note(kind, "answered")
        elif answer.status_code in _FOR_CAUSE:
            self.ledger.note(kind, "for cause", str(answer.status_code))
        else:
            self.ledger.note(kind, "refused", str(answer.json().get("error")) if kind != "replayed proof" else "")
        return answer
