"""Listening sockets: ``localhost`` is both 127.0.0.1 and ::1."""

from __future__ import annotations

import socket

from ostiary.errors import ConfigurationError

BACKLOG = 2048


def addresses_of(host: str) -> list[str]:
    """The addresses to listen on for a host of the settings."""
    return ["127.0.0.1", "::1"] if host == "localhost" else [host]


def bind(host: str, port: int) -> list[socket.socket]:
    """Bound, listening, inheritable sockets. Port 0 takes one free port for all addresses of the host.

    Raises ConfigurationError when an address is taken or is not this machine's.
    """
    sockets: list[socket.socket] = []
    for address in addresses_of(host):
        try:
            sockets.append(_listen(address, sockets[0].getsockname()[1] if sockets else port))
        except OSError as error:
            if sockets and address == "::1":
                continue  # a machine without IPv6
            for bound in sockets:
                bound.close()
            raise ConfigurationError(
                f"cannot listen on {address} port {port}: {error.strerror}; "
                "stop the program that uses it or choose another port"
            ) from error
    return sockets


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
        listener.set_inheritable(True)
    except OSError:
        listener.close()
        raise
    return listener
