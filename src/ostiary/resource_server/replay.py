"""Where the used ``jti`` of client JWTs are remembered: in Valkey for several hosts, else in a file of this host.

``OSTIARY_REPLAY_URL``, or ``OSTIARY_REPLAY_URL_FILE`` that holds it, as it may hold a password; else
``OSTIARY_REPLAY_FILE``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ostiary.errors import ConfigurationError
from ostiary.protocol import client_request_jwt
from ostiary.resource_server import configuration
from ostiary.secret_files import read_secret_file

if TYPE_CHECKING:
    from ostiary.replay.base import ReplayMemory

_VARIABLES = ("OSTIARY_REPLAY_URL", "OSTIARY_REPLAY_URL_FILE", "OSTIARY_REPLAY_FILE")


@runtime_checkable
class SharedMemory(Protocol):
    """A memory on another machine: it can tell before the first proof whether it is fit, and holds connections."""

    async def check(self) -> None:
        """Raises Unavailable, and ConfigurationError with the mend."""
        ...

    async def aclose(self) -> None:
        """Let go of the connections; a later question makes them anew."""
        ...


def shared_memory(audience: str, leeway: float, environment: Mapping[str, str]) -> ReplayMemory | None:
    """The memory in Valkey that the environment names, for the API ``audience``; None if it names none.

    leeway: seconds between clocks. Connects to nothing yet. Raises ConfigurationError if more than one memory is named,
    and MissingExtra without the extra ``redis``.
    """
    named = [variable for variable in _VARIABLES if environment.get(variable)]
    if len(named) > 1:
        raise ConfigurationError(f"{' and '.join(named)} are both set: keep one.")
    url = _url(environment)
    if url is None:
        return None
    from ostiary.replay.redis import RedisReplayMemory

    # A client JWT may end ``leeway`` later than it should, and is taken for as long after its end.
    return RedisReplayMemory(url, name=audience, longest_life=client_request_jwt.MAX_LIFE + 2 * leeway + 1)


def memory_of_this_host(audience: str, environment: Mapping[str, str]) -> ReplayMemory:
    """The memory that the processes of this host share."""
    from ostiary.replay.sqlite import SqliteReplayMemory

    path = configuration.default_replay_file(audience, environment)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return SqliteReplayMemory(path)


def _url(environment: Mapping[str, str]) -> str | None:
    if file := environment.get("OSTIARY_REPLAY_URL_FILE"):
        try:
            return read_secret_file(file).decode("utf-8").strip()
        except UnicodeDecodeError:
            raise ConfigurationError(f"The file {file} named by OSTIARY_REPLAY_URL_FILE is no text.") from None
    return environment.get("OSTIARY_REPLAY_URL") or None
