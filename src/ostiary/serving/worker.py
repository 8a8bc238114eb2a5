"""``python -m ostiary.serving.worker``: one process of several, started by the supervisor with inherited sockets."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import threading
from pathlib import Path


def main() -> None:
    """Serve the inherited sockets in the role given until told to stop, or until the supervisor is gone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--role", choices=("api", "management"), required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--descriptors", required=True)
    parser.add_argument("--mtls-descriptors", default="")
    parser.add_argument("--lifeline", type=int, required=True)
    parser.add_argument("--ready", type=int, required=True)
    arguments = parser.parse_args()
    threading.Thread(target=_stop_with_the_supervisor, args=(arguments.lifeline,), daemon=True).start()
    sockets, mtls = _sockets(arguments.descriptors), _sockets(arguments.mtls_descriptors)
    _serve(arguments.role, arguments.config, sockets, mtls, arguments.ready)


def _sockets(numbers: str) -> list[socket.socket]:
    return [socket.socket(fileno=int(number)) for number in numbers.split(",") if number]


def _serve(role: str, config: Path, sockets: list[socket.socket], mtls: list[socket.socket], ready: int) -> None:
    # Imported only now: the supervisor may be gone before this second is over.
    import uvloop

    from ostiary.errors import OstiaryError
    from ostiary.serving import logs
    from ostiary.serving.run import serve_process
    from ostiary.settings import load_settings

    def tell() -> None:
        os.write(ready, b"1")
        os.close(ready)

    try:
        settings = load_settings(config)
        logs.configure(settings.log.format, settings.log.level)
        if role == "api":
            uvloop.run(serve_process(settings, api=sockets, mtls=mtls, on_ready=tell))
        else:
            uvloop.run(serve_process(settings, management=sockets, on_ready=tell))
    except OstiaryError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(1)


def _stop_with_the_supervisor(lifeline: int) -> None:
    """Nothing is ever written to the pipe: it ends when the supervisor is gone, even by ``kill -9``."""
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
