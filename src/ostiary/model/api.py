"""An API: a protected resource with an identifier, its scopes and the kind of token it wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TokenFormat = Literal["self-contained", "reference"]
ApiState = Literal["active", "disabled"]
ApiSource = Literal["registered", "static"]


@dataclass(frozen=True, slots=True)
class Api:
    """A resource server.

    identifier: the absolute URI that is ``resource`` in requests and ``aud`` in tokens (RFC 8707).
    client_id: the API's own identity (a Client of kind ``"api"``), None if it has none.
    scopes: what exists at this API, name to description.
    token_format: which access tokens it wants.
    token_alg: the algorithm of its self-contained tokens, such as ``"ES256"``.
    token_life: seconds, of its access tokens unless the client's is shorter.
    status_list: whether its self-contained tokens say where a Token Status List tells of them.
    """

    identifier: str
    name: str
    state: ApiState
    source: ApiSource
    owner: str
    client_id: str | None
    scopes: dict[str, str]
    token_format: TokenFormat
    token_alg: str
    token_life: int
    created_at: int
    updated_at: int
    status_list: bool = False
    tenant: str = "default"
