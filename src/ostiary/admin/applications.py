"""The registration of applications with users: what they are, how they prove themselves, what they may ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ostiary.admin.commands import ClientChanges, NewClient
from ostiary.admin.limits import Limits
from ostiary.admin.login_commands import LoginChanges, NewLogin, members
from ostiary.errors import ConfigurationError
from ostiary.model.client import SPIFFE_JWT, Client, ClientKind
from ostiary.model.client_login import ClientLogin
from ostiary.model.login_rules import NONE, SECRET_METHODS, checked_login, grant_types_for
from ostiary.model.mutual_tls import CERTIFICATE_METHODS, SELF_SIGNED


def new_login(limits: Limits, command: NewLogin | None, authentication_method: str) -> ClientLogin | None:
    """The record of what was registered. Raises ConfigurationError."""
    return None if command is None else _checked(limits, ClientLogin(**members(command)), authentication_method)


def changed_application(limits: Limits, before: Client, client: Client, changes: ClientChanges) -> Client:
    """``client``, whose other members were changed already, with its login, method and grant types changed as well.

    Raises ConfigurationError. What was registered under rules of before is not judged while it is not touched.
    """
    method = client.authentication_method
    if changes.login is None and changes.grant_types is None and method == before.authentication_method:
        return client
    if client.kind == "api":
        raise ConfigurationError(f"{client.client_id!r} is the identity of an API: it proves itself by its key alone")
    login = client.login if changes.login is None else _with(client, changes.login)
    named = list(client.grant_types) if changes.grant_types is None else list(changes.grant_types)
    return replace(
        client,
        login=None if login is None else _checked(limits, login, method),
        grant_types=_grant_types(named, method, login is not None),
        secret_digest=_kept_digest(client, method),
    )


def _with(client: Client, changes: LoginChanges) -> ClientLogin:
    if client.login is None:
        raise ConfigurationError(
            f"client {client.client_id!r} signs no users in: make a new client with --redirect-uri, so that what this "
            "one may do in its own name stays apart from what users allow"
        )
    return replace(client.login, **members(changes))


def _kept_digest(client: Client, method: str) -> bytes | None:
    if method not in SECRET_METHODS:
        return None
    if client.secret_digest is None:
        raise ConfigurationError(
            f"client {client.client_id!r} has no secret: a key is better; to have one all the same, make a new client"
        )
    return client.secret_digest


def grant_types(command: NewClient, kind: ClientKind) -> tuple[str, ...]:
    """What the client may ask for. Raises ConfigurationError."""
    if kind == "api":
        return ()
    if any(one.key is not None for one in command.keys) or command.jwks_uri is not None:
        _check_has_use_for_keys(command.authentication_method)
    if any(one.certificate is not None for one in command.keys) and command.authentication_method != SELF_SIGNED:
        raise ConfigurationError(f"keys: a certificate is registered for {SELF_SIGNED}, no other method looks at it")
    return _grant_types(command.grant_types, command.authentication_method, command.login is not None)


def _grant_types(named: Sequence[str] | None, method: str, has_login: bool) -> tuple[str, ...]:
    try:
        return grant_types_for(named, method, has_login=has_login)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None


def _check_has_use_for_keys(method: str) -> None:
    if method != "private_key_jwt":
        said = "names itself only" if method == NONE else "proves itself by a secret"
        said = "proves itself by its certificate" if method in CERTIFICATE_METHODS else said
        said = "proves itself by a JWT-SVID" if method == SPIFFE_JWT else said
        raise ConfigurationError(f"keys: a client registered for {method} {said}: leave the keys out")


def _checked(limits: Limits, login: ClientLogin, method: str) -> ClientLogin:
    try:
        return checked_login(login, method, dev=limits.dev)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
