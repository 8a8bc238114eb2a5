"""Starts a sample API as a user would, in a process of its own, and waits until it answers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[str], folder: Path, environment: Mapping[str, str], port: int) -> Iterator[httpx2.Client]:
    """``python -m command`` in ``folder``; a client of it, once ``/healthz`` answers."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**os.environ, **environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            _wait(client, process)
            yield client
    finally:
        process.terminate()
        process.communicate(timeout=10)


def _wait(client: httpx2.Client, process: subprocess.Popen[str]) -> None:
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended: {process.communicate()[0]}")
        try:
            if client.get("/healthz").status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.05)
    process.kill()
    raise RuntimeError(f"the server does not answer: {process.communicate()[0]}")
