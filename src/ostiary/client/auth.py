"""An httpx2 authentication that gets, renews and sends access tokens: RFC 6749 section 4.4, RFC 6750 section 2.1."""

from __future__ import annotations

import os
import ssl
import threading
import time
from collections.abc import AsyncGenerator, Collection, Generator, Iterable

import httpx2

from ostiary.client.assertion import ClientProof, Clock, NewJti, new_jti
from ostiary.client.authorization_server import AuthorizationServerCalls
from ostiary.client.bearer_request import can_be_sent_again, refused_here, with_token
from ostiary.client.certificate_proof import CertificateProof
from ostiary.client.client_certificate import EXTENSION, ClientCertificate
from ostiary.client.credential_file import KeySource, client_credential
from ostiary.client.credential_of_file import CredentialOfFile
from ostiary.client.errors import TokenRequestRefused
from ostiary.client.exchange import Exchange, Shell
from ostiary.client.origins import is_safe, origin_of
from ostiary.client.own_client import certificate_credential, certificate_of
from ostiary.client.resource_discovery import find_resource
from ostiary.client.token_request import AccessToken, scope_text
from ostiary.client.token_source import TokenSource
from ostiary.errors import ConfigurationError
from ostiary.protocol.metadata import check_issuer_url

MAX_ORIGINS = 64


class ClientAuth(httpx2.Auth):
    """``httpx2.AsyncClient(auth=ClientAuth.from_file("orders-client.json"))``, and the same for ``httpx2.Client``.

    issuer, client_id, key: who this client is; the key as a path to PEM or JWK, as bytes, or as a SigningKey.
    kid: the key's registered name, where the key does not say.
    certificate: what its connections show; without a key it proves the client (RFC 8705). Then calls need the same:
    ``httpx2.Client(auth=auth, transport=auth.transport())``.
    resource: the identifier of the API that tokens are for; left out, the API is asked (RFC 9728).
    scope: what to ask for; left out, all that the client may have there.
    origins: where tokens may be sent, such as ``["https://orders.internal:8443"]``; default: the resource's own origin.
    tls: a TLS context for calls to the authorization server; clock, jti: for tests.

    One object serves any number of clients, threads and event loops. Its requests raise ConfigurationError (also for
    a request to an origin that the token is not meant for), TokenRequestRefused, VerificationError and Unavailable.
    """

    def __init__(
        self,
        *,
        issuer: str,
        client_id: str,
        key: KeySource | None = None,
        kid: str | None = None,
        certificate: ClientCertificate | None = None,
        resource: str | None = None,
        scope: str | Iterable[str] | None = None,
        origins: Collection[str] | None = None,
        tls: ssl.SSLContext | None = None,
        clock: Clock = time.time,
        jti: NewJti = new_jti,
    ) -> None:
        self._proof: ClientProof | None = None
        if key is not None:
            own = client_credential(issuer=issuer, client_id=client_id, key=key, kid=kid)
            self._proof = ClientProof(own, clock=clock, jti=jti, mutual_tls=certificate is not None)
        elif certificate is None:
            raise ConfigurationError(
                "A client proves itself by its key or by its certificate: give key= or certificate=."
            )
        if certificate is not None and tls is not None:
            raise ConfigurationError("certificate= brings its own TLS context: leave out tls=, name its CA by ca=.")
        self._certificate = certificate
        proof = self._proof or CertificateProof(check_issuer_url(issuer), client_id, clock=clock)
        self._issuer = proof.issuer
        self._calls = AuthorizationServerCalls(proof)
        self._shell = Shell(tls=tls)
        self._clock = clock
        self._resource = resource
        self._scope = scope_text(scope)
        self._origins = allowed_origins(resource, origins)
        self._file: CredentialOfFile | None = None
        self._lock = threading.Lock()
        self._sources: dict[tuple[str, str], TokenSource] = {}

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        resource: str | None = None,
        scope: str | Iterable[str] | None = None,
        origins: Collection[str] | None = None,
        tls: ssl.SSLContext | None = None,
        clock: Clock = time.time,
        jti: NewJti = new_jti,
    ) -> ClientAuth:
        """The authentication of the client whose credential file is at ``path`` (default: ``OSTIARY_CLIENT_FILE``).

        A changed file is read before the next token request, and at once where the server no longer takes the key. A
        file that names a certificate is read once; the certificate and its key are followed.
        """
        named = certificate_credential(path)
        if named is not None:
            return cls(
                issuer=named.issuer,
                client_id=named.client_id,
                certificate=certificate_of(named),
                resource=resource,
                scope=scope,
                origins=origins,
                tls=tls,
                clock=clock,
            )
        file = CredentialOfFile(path)
        own = file.current()
        auth = cls(
            issuer=own.issuer,
            client_id=own.client_id,
            key=own.key,
            resource=resource,
            scope=scope,
            origins=origins,
            tls=tls,
            clock=clock,
            jti=jti,
        )
        auth._file = file
        return auth

    def sync_auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Send ``request`` with a token; after a 401, once more with a fresh one."""
        source = self._source(request)
        token = source.token()
        response = yield with_token(request, token)
        if refused_here(response, request) and can_be_sent_again(request):
            fresh = source.token(instead_of=token)
            if fresh.value != token.value and (yield with_token(request, fresh)).status_code == 401:
                source.refused_again()

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """As ``sync_auth_flow``, without blocking the event loop."""
        source = self._source(request)
        token = await source.token_async()
        response = yield with_token(request, token)
        if refused_here(response, request) and can_be_sent_again(request):
            fresh = await source.token_async(instead_of=token)
            if fresh.value != token.value and (yield with_token(request, fresh)).status_code == 401:
                source.refused_again()

    @property
    def certificate_thumbprint(self) -> str | None:
        """The certificate (``x5t#S256``) that the next call shows; None for a client without."""
        return None if self._certificate is None else self._certificate.current().thumbprint

    def transport(self) -> httpx2.BaseTransport | None:
        """For ``httpx2.Client(transport=...)``: connections that show the certificate; None for a client without."""
        return None if self._certificate is None else self._certificate.transport()

    def async_transport(self) -> httpx2.AsyncBaseTransport | None:
        """For ``httpx2.AsyncClient(transport=...)``: the same."""
        return None if self._certificate is None else self._certificate.async_transport()

    def __repr__(self) -> str:
        return f"ClientAuth(client_id={self._calls.proof.client_id!r}, resource={self._resource!r})"

    def _source(self, request: httpx2.Request) -> TokenSource:
        origin = checked_origin(str(request.url), self._origins)
        shell, name = self._shell, (self._resource or origin, "")
        if self._certificate is not None:
            # After a renewal a token is bound to the certificate of before, and so are the connections that showed it.
            generation = self._certificate.current()
            request.extensions = {**request.extensions, EXTENSION: generation}
            shell, name = Shell(tls=generation.context), (name[0], generation.thumbprint)
        with self._lock:
            if name not in self._sources:
                if len(self._sources) >= MAX_ORIGINS:
                    self._sources.pop(next(iter(self._sources)))
                self._sources[name] = TokenSource(lambda: shell.run(self._obtain(origin)), clock=self._clock)
            return self._sources[name]

    def _obtain(self, origin: str) -> Exchange[AccessToken]:
        resource = self._resource or (yield from find_resource(origin, self._issuer))
        proof = self._proof
        if self._file is None or proof is None:
            return (yield from self._calls.token(resource=resource, scope=self._scope))
        used = proof.credential = self._file.current()
        try:
            return (yield from self._calls.token(resource=resource, scope=self._scope))
        except TokenRequestRefused as error:
            if error.code != "invalid_client":
                raise
            proof.credential = self._file.current(whatever_it_looks_like=True)
            if proof.credential is used:
                raise
        return (yield from self._calls.token(resource=resource, scope=self._scope))


def allowed_origins(resource: str | None, origins: Collection[str] | None) -> frozenset[str] | None:
    """The origins that a credential for ``resource`` may be sent to; None: the one that each API itself vouches for.

    Raises ConfigurationError where neither names a place.
    """
    if isinstance(origins, str):
        raise ConfigurationError(f"origins is a list: write origins=[{origins!r}].")
    if origins is not None:
        return frozenset(origin_of(origin) for origin in origins)
    if resource is None:
        return None
    if not resource.lower().startswith(("https://", "http://")):
        raise ConfigurationError(f"{resource} is no URL: say where that API is reached, origins=[...].")
    return frozenset({origin_of(resource)})


def checked_origin(url: str, allowed: frozenset[str] | None) -> str:
    """The origin of ``url``, if a token may be sent there; else ConfigurationError.

    An origin that was named outright is taken at its word, plain http too: that is how an operator says that something
    else protects the way (RFC 6750 section 5.3: "TLS or equivalent transport security").
    """
    origin = origin_of(url)
    if allowed is not None and origin not in allowed:
        raise ConfigurationError(
            f"The token is for {', '.join(sorted(allowed)) or 'no origin'} and is not sent to {origin}; "
            f'if that is the same API, add origins=["{origin}"].'
        )
    if allowed is None and not is_safe(origin):
        raise ConfigurationError(f"A token is not sent over plain http to {origin}; use https.")
    return origin
