"""``python -m ostiary.serving.worker``: one process of several, started by the supervisor with inherited sockets."""

from __future__ import annotations

import argparse
import socket
from pathlib import Path

import uvloop

from ostiary.serving import logs
from ostiary.serving.run import serve_process
from ostiary.settings import load_settings


def main() -> None:
    """Serve the inherited sockets in the role given until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--role", choices=("api", "management"), required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--descriptors", required=True)
    arguments = parser.parse_args()
    settings = load_settings(arguments.config)
    logs.configure(settings.log.format, settings.log.level)
    sockets = [socket.socket(fileno=int(number)) for number in arguments.descriptors.split(",")]
    if arguments.role == "api":
        uvloop.run(serve_process(settings, api=sockets))
    else:
        uvloop.run(serve_process(settings, management=sockets))


if __name__ == "__main__":
    main()
