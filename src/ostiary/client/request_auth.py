"""An httpx2 authentication without a token: a JWT of the client's own, signed anew for each request."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Generator

import httpx2

from ostiary.client.assertion import Clock, NewJti, new_jti
from ostiary.client.auth import allowed_origins, checked_origin
from ostiary.client.credential_file import KeySource, load_key
from ostiary.client.credential_of_file import CredentialOfFile
from ostiary.client.one_request_headers import OneRequestHeaders
from ostiary.errors import ConfigurationError
from ostiary.protocol import client_request_jwt, jws

_FIELD_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}")
_TAKEN = frozenset({"authorization", "proxy-authorization", "cookie", "host", "content-length", "transfer-encoding"})


class ClientRequestAuth(httpx2.Auth):
    """Signs method and URL of each request for the API ``audience``; works with ``httpx2.Client`` and ``AsyncClient``.

    audience: the API's identifier; header: the name of the header, as the API is set (never ``Authorization``).
    origins: where the API is reached; default: the audience's own origin. The signed URL is the one that is called,
    so an API behind a proxy must know its public URL. A JWT is good for one URL alone, so a redirect that is followed
    (off by httpx2's default) goes without any.
    """

    def __init__(
        self,
        *,
        client_id: str,
        key: KeySource,
        audience: str,
        kid: str | None = None,
        header: str = client_request_jwt.HEADER,
        origins: Collection[str] | None = None,
        clock: Clock = time.time,
        jti: NewJti = new_jti,
    ) -> None:
        if _FIELD_NAME.fullmatch(header) is None or header.lower() in _TAKEN:
            raise ConfigurationError(f"The direct JWT cannot travel in the header {header!r}; name one of its own.")
        self._client_id = client_id
        self._key = load_key(key, kid=kid)
        self._file: CredentialOfFile | None = None
        self._audience = audience
        self._header = header
        self._origins = allowed_origins(audience, origins)
        self._clock = clock
        self._jti = jti

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        audience: str,
        header: str = client_request_jwt.HEADER,
        origins: Collection[str] | None = None,
    ) -> ClientRequestAuth:
        """The authentication of the client whose credential file is at ``path`` (default: ``OSTIARY_CLIENT_FILE``).

        A changed file is read before the next request.
        """
        file = CredentialOfFile(path)
        own = file.current()
        auth = cls(client_id=own.client_id, key=own.key, audience=audience, header=header, origins=origins)
        auth._file = file
        return auth

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Send ``request`` with a JWT of its own."""
        url = str(request.url)
        checked_origin(url, self._origins)
        payload = client_request_jwt.build(
            self._client_id, self._audience, method=request.method, url=url, now=self._clock(), jti=self._jti()
        )
        key = self._key if self._file is None else self._file.current().key
        signed = jws.sign(payload, key, typ=client_request_jwt.TYP)
        request.headers = OneRequestHeaders(request.headers, self._header, signed)
        yield request

    def __repr__(self) -> str:
        return f"ClientRequestAuth(client_id={self._client_id!r}, audience={self._audience!r})"
