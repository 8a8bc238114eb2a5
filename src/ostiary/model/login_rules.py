"""What fits together in the registration of an application with users; settings, commands and admin API share it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Final

from ostiary.model.application_uris import host_of, public_address, redirect_uri, sector_name
from ostiary.model.client_login import ClientLogin

NONE: Final = "none"
GRANT_TYPES: Final = ("authorization_code", "refresh_token", "client_credentials")
SECRET_METHODS: Final = frozenset({"client_secret_basic", "client_secret_post"})


def checked_login(login: ClientLogin, authentication_method: str, *, dev: bool = False) -> ClientLogin:
    """``login`` with its sector, if it fits together and fits ``authentication_method``.

    dev: under ``ostiary dev``. Raises ValueError with a sentence that begins with the member and names the mend.
    """
    if not login.redirect_uris:
        raise ValueError("redirect_uris: is empty: where are users sent back to? Give at least one")
    for member in ("redirect_uris", "post_logout_redirect_uris"):
        _check_redirect_uris(member, getattr(login, member), login, dev=dev)
    for member in ("home_uri", "logo_uri", "backchannel_logout_uri"):
        if uri := getattr(login, member):
            _named(member, partial(public_address, uri, dev=dev))
    _check_application_type(login, authentication_method)
    _check_pkce(login, authentication_method)
    _check_first_party(login, authentication_method)
    _check_lives(login)
    return _with_sector(login)


def _check_redirect_uris(member: str, uris: tuple[str, ...], login: ClientLogin, *, dev: bool) -> None:
    for uri in uris:
        _named(member, partial(redirect_uri, uri, login.application_type, dev=dev))
    if len(set(uris)) != len(uris):
        raise ValueError(f"{member}: names an address twice: give each once")


def _check_application_type(login: ClientLogin, method: str) -> None:
    if login.application_type == "browser" and method != NONE:
        # RFC 10017: code that runs in a browser cannot keep a secret.
        raise ValueError(
            "authentication_method: a single-page application can keep neither secret nor key: register it as public "
            "(none), or let its own server be the client, as a web application"
        )
    if login.application_type == "native" and method in SECRET_METHODS:
        # "Secrets that are statically included as part of an app distributed to multiple users should not be treated
        # as confidential secrets, as one user may inspect their copy and learn the shared secret." RFC 8252 8.5
        raise ValueError(
            "authentication_method: a secret in an application that many people install is none: register it as public"
        )


def _check_pkce(login: ClientLogin, method: str) -> None:
    # RFC 9700 2.1.1: "public clients MUST use PKCE"; a confidential OpenID Connect client may use the nonce instead.
    if not login.require_pkce and (method == NONE or login.application_type != "web"):
        raise ValueError("require_pkce: only a web application that authenticates may be exempted from PKCE")


def _check_first_party(login: ClientLogin, method: str) -> None:
    # RFC 8252 8.6: a request of a public client at a loopback address or a scheme of its own may come from any other
    # application, so its consent must not be skipped.
    assured = method != NONE or all(uri.startswith("https://") for uri in login.redirect_uris)
    if login.first_party and not assured:
        raise ValueError(
            "first_party: a public application at a loopback address or a scheme of its own may be an impostor, so its "
            "users are asked for consent: use https redirect URIs, or leave first_party out"
        )


def _check_lives(login: ClientLogin) -> None:
    life, idle = login.refresh_token_life, login.refresh_token_idle
    if life is not None and idle is not None and idle > life:
        raise ValueError("refresh_token_idle: is longer than refresh_token_life: lower the one or raise the other")


def _with_sector(login: ClientLogin) -> ClientLogin:
    """The sector stands in the record, so that another redirect URI later does not give every user another ``sub``."""
    if login.sector and login.subject_type != "pairwise":
        raise ValueError("sector: is for pairwise subjects: leave it out, or set subject_type to pairwise")
    if login.subject_type != "pairwise":
        return login
    if login.sector:
        _named("sector", partial(sector_name, login.sector))
        return login
    hosts = _hosts(login.redirect_uris)
    if len(hosts) != 1 or "" in hosts:
        # "If there are multiple hostnames in the registered redirect_uris, the Client MUST register a
        # sector_identifier_uri." OpenID Connect Core 8.1; a loopback or private scheme is nobody's host.
        raise ValueError(
            "sector: the redirect URIs do not all lie on one host, so name the host by which users are told apart"
        )
    return replace(login, sector=hosts.pop())


def _hosts(uris: Iterable[str]) -> set[str]:
    return {host_of(uri) for uri in uris}


def _named(member: str, check: Callable[[], str]) -> None:
    try:
        check()
    except ValueError as error:
        raise ValueError(f"{member}: {error}") from None


def grant_types_for(named: Iterable[str] | None, method: str, *, has_login: bool) -> tuple[str, ...]:
    """The grant types of a client, those that were named or the usual ones.

    What an application may do on behalf of its users is not at once what it may do in its own name, so that is asked
    for by name. Raises ValueError.
    """
    if method == NONE and not has_login:
        raise ValueError(
            "authentication_method: a public client (none) acts for users alone: give it a login with redirect URIs"
        )
    if named is None:
        return ("authorization_code", "refresh_token") if has_login else ("client_credentials",)
    chosen = tuple(dict.fromkeys(named))
    if not has_login and set(chosen) - {"client_credentials"}:
        raise ValueError("grant_types: without a login there is no user to act for: client_credentials alone")
    if has_login and "authorization_code" not in chosen:
        raise ValueError("grant_types: an application with users needs authorization_code")
    if method == NONE and "client_credentials" in chosen:
        # "The client credentials grant type MUST only be used by confidential clients." RFC 6749 4.4
        raise ValueError("grant_types: client_credentials is for clients that authenticate: give it a key")
    return chosen
