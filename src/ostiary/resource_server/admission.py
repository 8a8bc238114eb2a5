"""One verification a request, however many parts of a framework ask: a single-use JWT is spent by the first of them.

The first one leaves the Principal in the ASGI scope or the WSGI environ; for those after it scopes, and the demands on
the sign-in, are decided anew.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ostiary.resource_server.principal import Principal
from ostiary.resource_server.request import ApiRequest

if TYPE_CHECKING:
    from ostiary.resource_server.core import ResourceServer

NAME = "ostiary"
"""The key in the scope or environ. Nobody outside can set it: what a client sends stands under other names."""


class Admitted(NamedTuple):
    """The caller of this request, and the guard that said so."""

    guard: ResourceServer
    principal: Principal


async def admit(
    guard: ResourceServer, request: ApiRequest, scopes: Sequence[str], memory: MutableMapping[str, Any]
) -> Principal:
    """The caller of ``request``, verified now or earlier in the same request. Raises Refused."""
    earlier = memory.get(NAME)
    if isinstance(earlier, Admitted) and earlier.guard.shares_with(guard):
        guard.allow(request, earlier.principal, scopes)
        return earlier.principal
    principal = await guard.check(request, scopes)
    memory[NAME] = Admitted(guard, principal)
    return principal


def admit_sync(
    guard: ResourceServer, request: ApiRequest, scopes: Sequence[str], memory: MutableMapping[str, Any]
) -> Principal:
    """The same from a thread."""
    earlier = memory.get(NAME)
    if isinstance(earlier, Admitted) and earlier.guard.shares_with(guard):
        guard.allow(request, earlier.principal, scopes)
        return earlier.principal
    principal = guard.check_sync(request, scopes)
    memory[NAME] = Admitted(guard, principal)
    return principal
