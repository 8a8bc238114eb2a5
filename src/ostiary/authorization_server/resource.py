"""Which API a token is for: the parameter ``resource``, RFC 8707 section 2."""

from __future__ import annotations

from ostiary.authorization_server.registry import Registry
from ostiary.errors import OAuthError
from ostiary.model.api import Api
from ostiary.model.client import Client
from ostiary.protocol.checks import shown


async def api_for(registry: Registry, client: Client, resource: str | None) -> Api:
    """The API named by ``resource``, or the only one that ``client`` may use; a token is for one API.

    Raises OAuthError("invalid_target"); one sentence for APIs that do not exist and those that are not the client's.
    """
    if resource is None:
        if len(client.scopes) != 1:
            raise _refused("no resource", client)
        resource = next(iter(client.scopes))
    # RFC 8707 2.2: "invalid_target: The requested resource is invalid, missing, unknown, or malformed."
    api = await registry.api(resource) if resource in client.scopes else None
    if api is None:
        raise _refused(resource, client)
    if api.state != "active":
        raise _refused(resource, client, seen="a disabled API", mend=f"let it in again: ostiary api enable {resource}")
    return api


def _refused(
    resource: str,
    client: Client,
    *,
    seen: str = "",
    mend: str = "send the identifier of the API as resource, and give the client scopes there",
) -> OAuthError:
    return OAuthError(
        "invalid_target",
        "name one resource that this client may use",
        check="resource",
        seen=shown(f"{resource}, {seen}" if seen else resource),
        expected=shown(" or ".join(client.scopes) or "no API is allowed to this client"),
        mend=mend,
    )
