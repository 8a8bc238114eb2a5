"""How a client shows the token endpoint who it is: RFC 6749 section 2.3, OpenID Connect Core 1.0 section 9."""

from __future__ import annotations

import base64
from typing import Protocol
from urllib.parse import quote_plus

from ostiary.errors import ConfigurationError
from ostiary.protocol.checks import shown
from ostiary.protocol.metadata import AuthorizationServerMetadata


class ClientAuthentication(Protocol):
    """One of the ways. Each is for one issuer alone: credentials are keyed by issuer (RFC 9700 section 4.4)."""

    @property
    def method(self) -> str: ...
    @property
    def alg(self) -> str | None: ...
    def parameters(self) -> dict[str, str]: ...
    def headers(self) -> dict[str, str]: ...


class OwnProof(ClientAuthentication, Protocol):
    """One that a client uses for itself. mutual_tls: whether its requests show a certificate."""

    @property
    def issuer(self) -> str: ...
    @property
    def client_id(self) -> str: ...
    @property
    def mutual_tls(self) -> bool: ...
    def now(self) -> float: ...


class PublicClient:
    """``none``: a client that can keep no secret names itself; what proves its code is PKCE (RFC 7636)."""

    method = "none"
    alg = None

    def __init__(self, client_id: str) -> None:
        self.client_id = client_id

    def parameters(self) -> dict[str, str]:
        """``client_id`` (RFC 6749 section 3.2.1)."""
        return {"client_id": self.client_id}

    def headers(self) -> dict[str, str]:
        """None."""
        return {}


class ClientSecretBasic:
    """``client_secret_basic``: a shared secret, for clients that were made with it. Its representation hides it."""

    method = "client_secret_basic"
    alg = None

    def __init__(self, client_id: str, secret: str) -> None:
        self.client_id = client_id
        self._secret = secret

    def parameters(self) -> dict[str, str]:
        """None: a client "MUST NOT use more than one authentication method in each request" (RFC 6749 section 2.3)."""
        return {}

    def headers(self) -> dict[str, str]:
        """``Authorization``: both halves are encoded as form values before they are joined (RFC 6749 section 2.3.1)."""
        joined = f"{quote_plus(self.client_id)}:{quote_plus(self._secret)}"
        return {"Authorization": "Basic " + base64.b64encode(joined.encode("ascii")).decode("ascii")}

    def __repr__(self) -> str:
        return f"ClientSecretBasic(client_id={self.client_id!r})"


class ClientSecretPost:
    """``client_secret_post``: the same in the form, for clients that were made so. Its representation hides it."""

    method = "client_secret_post"
    alg = None

    def __init__(self, client_id: str, secret: str) -> None:
        self.client_id = client_id
        self._secret = secret

    def parameters(self) -> dict[str, str]:
        """``client_id`` and ``client_secret`` (RFC 6749 section 2.3.1)."""
        return {"client_id": self.client_id, "client_secret": self._secret}

    def headers(self) -> dict[str, str]:
        """None."""
        return {}

    def __repr__(self) -> str:
        return f"ClientSecretPost(client_id={self.client_id!r})"


def check_method(metadata: AuthorizationServerMetadata, authentication: ClientAuthentication) -> None:
    """Raise ConfigurationError where the server says that it does not take this way, or not this algorithm."""
    methods = metadata.token_endpoint_auth_methods_supported
    possible = {authentication.method, *getattr(authentication, "also", ())}
    if methods is not None and possible.isdisjoint(methods):
        raise ConfigurationError(
            f"{metadata.issuer} does not take {authentication.method}; it takes {shown(', '.join(methods))}."
        )
    algorithms, alg = metadata.token_endpoint_auth_signing_alg_values_supported, authentication.alg
    if alg is not None and algorithms is not None and alg not in algorithms:
        raise ConfigurationError(
            f"{metadata.issuer} does not take keys for {shown(alg)}; register one for {shown(', '.join(algorithms))}."
        )
