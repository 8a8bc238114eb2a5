"""Callers that keep asking for tokens, each on a connection of its own, and remember what they were answered."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import httpx2

from tests.real.served import Served


@dataclass(slots=True)
class Answered:
    """A token request that was answered with 200: the assertion that asked, and the token."""

    assertion: str
    token: str


@dataclass(slots=True)
class Callers:
    """answered: what came back good. refused: other answers. lost: sent on a connection that was open, never answered.

    stopping: set it before a stop is asked for; only what was sent before counts as lost.
    """

    served: Served
    count: int = 8
    answered: list[Answered] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    _end: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Begin to ask."""
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(self.count)]
        for thread in self._threads:
            thread.start()

    def wait_for(self, answers: int, *, seconds: float = 20.0) -> None:
        """Return once so many were answered well. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while len(self.answered) < answers:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self.answered)} answers; refused: {self.refused[:3]}; lost: {self.lost[:3]}")
            time.sleep(0.005)

    def end(self) -> None:
        """Stop asking and wait for the answers that are due."""
        self._end.set()
        for thread in self._threads:
            thread.join(30.0)

    def _ask(self) -> None:
        with self.served.http(timeout=15.0) as http:
            while not self._end.is_set():
                self._once(http)

    def _once(self, http: httpx2.Client) -> None:
        assertion = self.served.assertion()
        try:
            response = http.post("/token", data=self.served.form(assertion))
        except httpx2.ConnectError:
            self._end.wait(0.02)  # it was never sent
        except httpx2.HTTPError as error:
            self.lost.append(f"{type(error).__name__}: {error}")
            self._end.wait(0.02)
        else:
            if response.status_code == 200:
                self.answered.append(Answered(assertion, response.json()["access_token"]))
            else:
                self.refused.append(f"{response.status_code} {response.text}")
