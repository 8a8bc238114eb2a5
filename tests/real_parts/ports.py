"""Ports of the loopback interface: finding a free one, waiting for one to answer."""

import socket
import time
from collections.abc import Callable


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that was free a moment ago; let the server bind port 0 itself wherever it can say which it got."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(
    port: int, *, host: str = "127.0.0.1", seconds: float = 15.0, alive: Callable[[], bool] = lambda: True
) -> None:
    """Return as soon as something accepts connections at ``port``.

    Raises:
        TimeoutError: nothing answered in time, or ``alive`` (is the process still there?) became false.
    """
    deadline = time.monotonic() + seconds
    while alive() and time.monotonic() < deadline:
        try:
            socket.create_connection((host, port), timeout=1.0).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise TimeoutError(f"nothing answered on {host}:{port}")
