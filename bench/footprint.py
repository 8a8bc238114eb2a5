"""Memory after load, what the guard adds to an API's process, and the time from start to the first token."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.api_process import GUARDED, PLAIN
from bench.assertions import presigned
from bench.contenders import CHECKOUT, CLIENT, ORDERS, Contender, oidc_provider_command
from bench.figures import SHOWN, Figure, at_most, noise_of, paired_ratio
from bench.machine import SERVER_CORE, memory, on_core
from ostiary.admin.demo import API_IDENTIFIER
from ostiary.protocol.credential import Credential
from ostiary.protocol.jwk import SigningKey
from tests.real_parts.ports import free_port
from tests.real_parts.processes import Process

MEMORY_GOAL = 150.0
_POLL = 0.005


def of_server(contender: Contender, peer: Contender | None = None) -> Figure:
    """Memory of ``serve`` after the load that went before."""
    held = memory(contender.process.pid)
    alone = len(held.peaks) == 1
    highest = held.peaks[0] if alone else held.total
    other = memory(peer.process.pid) if peer else None
    shares = " + ".join(f"{value:.0f}" for value in held.each)
    return Figure(
        f"memory after load: {contender.name}",
        f"{highest:.0f} MB",
        f"oidc-provider {max(other.total, *other.peaks):.0f} MB" if other else "",
        highest / max(other.total, *other.peaks) if other else None,
        None,
        f"at most {MEMORY_GOAL:.0f} MB" if alone else "",
        at_most(highest, MEMORY_GOAL) if alone else SHOWN,
        f"the peak of RSS, which counts shared pages whole; PSS after load {held.total:.0f} MB"
        if alone
        else f"PSS after load, each process: {shares} MB",
    )


def of_guard(folder: Path, *, rounds: int, requests: int) -> Figure:
    """PSS of a FastAPI application after load, with the guard and without, in alternating processes."""
    with _dev(folder) as (process, port):
        credential = _credential(folder)
        issuer = f"http://localhost:{port}"
        token = _first_token(port, credential, issuer, API_IDENTIFIER, lambda: None)
        process.wait_for_line("ostiary token get")
        plain, guarded = [], []
        for _ in range(rounds):
            plain.append(_application(PLAIN, issuer, token, requests))
            guarded.append(_application(GUARDED, issuer, token, requests))
    added = [with_guard - without for with_guard, without in zip(guarded, plain, strict=True)]
    return Figure(
        "memory the guard adds to a FastAPI process",
        f"{median(added):.1f} MB",
        f"without it {median(plain):.0f} MB",
        paired_ratio(guarded, plain),
        noise_of(plain, guarded),
        remark=f"PSS after {requests} requests, keys fetched from a running issuer",
    )


def _application(kind: str, issuer: str, token: str, requests: int) -> float:
    order = json.dumps({"kind": kind, "issuer": issuer, "token": token, "requests": requests, "path": "/orders"})
    command = [sys.executable, "-m", "bench.api_process"]
    done = subprocess.run(command, input=order, capture_output=True, text=True, cwd=CHECKOUT, check=True, timeout=60)
    return float(done.stdout)


def start_times(folder: Path, *, rounds: int) -> list[Figure]:
    """Seconds from the start of the program to the first token, in alternation."""
    first, again, peer = [], [], []
    for number in range(rounds):
        place, port = folder / f"dev{number}", free_port()
        first.append(_dev_start(place, port))
        again.append(_dev_start(place, port))
        peer.append(_peer_start(folder / f"peer{number}"))
    beside = f"oidc-provider {median(peer):.2f} s"
    return [
        Figure(
            "start to first token: ostiary dev, empty folder",
            f"{median(first):.2f} s",
            beside,
            paired_ratio(first, peer),
            noise_of(first, peer),
            remark="makes the database, all keys, a demo API and a demo client first",
        ),
        Figure(
            "start to first token: ostiary dev, again",
            f"{median(again):.2f} s",
            beside,
            paired_ratio(again, peer),
            noise_of(again, peer),
        ),
    ]


class _dev:  # noqa: N801 - used like a function
    """``ostiary dev`` in ``folder``; gives the process and the port."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self._port = port or free_port()
        words: list[str | Path] = [
            "--directory",
            folder,
            "--port",
            str(self._port),
            "--management-port",
            str(free_port()),
        ]
        command: list[str | Path] = [*on_core(SERVER_CORE), sys.executable, "-m", "ostiary", "dev", *words]
        self._process = Process(command, cwd=CHECKOUT)

    def __enter__(self) -> tuple[Process, int]:
        return self._process, self._port

    def __exit__(self, *_: object) -> None:
        self._process.stop()


def _dev_start(folder: Path, wanted_port: int) -> float:
    started = time.perf_counter()
    with _dev(folder, wanted_port) as (process, port):

        def alive() -> None:
            if not process.is_alive():
                raise RuntimeError(f"ostiary dev ended: {process.output}")

        credential = _credential(folder, alive)
        _first_token(port, credential, credential.issuer, API_IDENTIFIER, alive)
        return time.perf_counter() - started


def _peer_start(folder: Path) -> float:
    command, peer = oidc_provider_command(folder)
    started = time.perf_counter()
    with Process(command, environment={"NODE_ENV": "production"}) as process:

        def alive() -> None:
            if not process.is_alive():
                raise RuntimeError(f"oidc-provider ended: {process.output}")

        _token(peer.port, peer.client_key, CLIENT, peer.issuer, ORDERS, alive)
        return time.perf_counter() - started


def _credential(folder: Path, alive: Callable[[], None] = lambda: None) -> Credential:
    path = folder / "demo-client.json"
    while not path.exists() or not path.read_bytes().strip().endswith(b"}"):
        alive()
        time.sleep(_POLL)
    return Credential.parse(path.read_bytes())


def _first_token(port: int, credential: Credential, issuer: str, resource: str, alive: Callable[[], None]) -> str:
    return _token(port, credential.key, credential.client_id, issuer, resource, alive)


def _token(port: int, key: SigningKey, client_id: str, issuer: str, resource: str, alive: Callable[[], None]) -> str:
    """Ask until it is answered."""
    form = {"grant_type": "client_credentials", "resource": resource, "scope": "orders:read"}
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        alive()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.connect()
            body = presigned(key, client_id, issuer, form, [], 1)[0]
            connection.request("POST", "/token", body, {"content-type": "application/x-www-form-urlencoded"})
            answer = connection.getresponse()
            text = answer.read().decode()
        except OSError:
            time.sleep(_POLL)
            continue
        finally:
            connection.close()
        if answer.status != 200:
            raise RuntimeError(f"no token: {answer.status} {text}")
        return str(json.loads(text)["access_token"])
    raise RuntimeError("no token within 30 s")
