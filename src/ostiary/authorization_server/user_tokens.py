"""What the grants with a user have in common: which API a token is for, its sign-in, its ID token."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, NoReturn

import msgspec

from ostiary.authorization_server import scope as scopes_of
from ostiary.authorization_server.authorization_code import facts_of
from ostiary.authorization_server.tokens import Issued, SignedIn
from ostiary.authorization_server.user_claims import told
from ostiary.errors import OAuthError
from ostiary.model.api import Api
from ostiary.model.client import Client
from ostiary.model.client_login import ClientLogin
from ostiary.model.grant import Grant
from ostiary.model.user import User
from ostiary.protocol import id_token, jws
from ostiary.protocol.checks import SCOPE, shown
from ostiary.revocation.sessions import OFFLINE_ACCESS

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer
    from ostiary.storage.base import UnitOfWork

ID_TOKEN_LIFE = 300
"""Seconds within which a client must take an ID token; it says who signed in, it is no pass."""


async def target(
    server: AuthorizationServer, grant: Grant, resource: str | None, scope: str | None
) -> tuple[Api, tuple[str, ...]]:
    """The API and scopes of a token that hangs on ``grant``: never beyond what the user allowed (RFC 8707 2.2).

    A token that is asked for by ``resource`` bears that API's scopes alone; else OpenID Connect's own come along, so
    that the token is good at the userinfo endpoint too. Raises OAuthError("invalid_target", "invalid_scope").
    """
    apis = [name for name in grant.scopes if name]
    openid = tuple(name for name in grant.scopes.get("", ()) if name != OFFLINE_ACCESS)
    if resource is None and len(apis) > 1:
        _refuse_target("no resource", apis)
    if resource is not None and resource not in apis:
        _refuse_target(resource, apis)
    if not apis:
        return userinfo_api(server), _narrowed(openid, scope)
    identifier = resource or apis[0]
    api = await server.registry.api(identifier)
    client = await server.registry.client(grant.client_id)
    if api is None or api.state != "active" or client is None:
        _refuse_target(identifier, apis)
    possible = scopes_of.allowed(client, api)
    held = tuple(name for name in grant.scopes[identifier] if name in possible)
    if not possible or (grant.scopes[identifier] and not held):
        # What the user allowed, the operator has taken away since: a token without it would still open the API's door.
        _refuse_target(identifier, apis)
    return api, _narrowed(held if resource is not None else (*openid, *held), scope)


def userinfo_api(server: AuthorizationServer) -> Api:
    """The userinfo endpoint as an API: what tokens are for that name no other."""
    return Api(
        identifier=server.issuer.rstrip("/") + "/userinfo",
        name="userinfo",
        state="active",
        source="static",
        owner="",
        client_id=None,
        scopes={},
        token_format="reference",
        token_alg="ES256",
        token_life=server.settings.tokens.default_life,
        created_at=0,
        updated_at=0,
    )


def _narrowed(held: tuple[str, ...], asked: str | None) -> tuple[str, ...]:
    if asked is None:
        return held
    # RFC 6749 6: the scope of a refresh "MUST NOT include any scope not originally granted by the resource owner".
    wanted = tuple(name for name in scopes_of.names(asked) if name != OFFLINE_ACCESS)
    beyond = [name for name in wanted if name not in held]
    if not wanted or beyond:
        raise OAuthError(
            "invalid_scope",
            "a scope is malformed or beyond what the user allowed",
            check=SCOPE,
            seen=shown(asked),
            expected=shown(" ".join(held)),
        )
    return wanted


def signed_in_claims(grant: Grant) -> str:
    """What a token of ``grant`` says of the sign-in, as JSON text."""
    facts = facts_of(grant)
    return msgspec.json.encode(SignedIn(facts.auth_time, facts.acr, facts.amr)).decode()


def id_token_for(
    server: AuthorizationServer,
    client: Client,
    grant: Grant,
    user: User,
    issued: Issued,
    *,
    now: float,
    nonce: str | None = None,
) -> str:
    """An ID token: OpenID Connect Core 2 and 3.1.3.6. now: seconds since the epoch. Raises Unavailable."""
    login, facts = client.login or ClientLogin(), facts_of(grant)
    signer = server.signing_keys.current(login.id_token_alg)
    members: dict[str, object] = told(user, grant.scopes.get("", ()), facts.claims, "id_token")
    members |= {
        "iss": server.issuer,
        "sub": grant.subject,
        "aud": client.client_id,
        "exp": int(now) + ID_TOKEN_LIFE,
        "iat": int(now),
        "auth_time": facts.auth_time,
        "acr": facts.acr,
        "amr": facts.amr,
        "sid": grant.session_id or None,
        "nonce": nonce,
        "at_hash": id_token.half_hash(issued.text, signer.alg),
    }
    return jws.sign(id_token.build(members), signer, typ=id_token.TYP)


class Standing(NamedTuple):
    """A grant and its user, both of which stand. until: when its session ends at the latest, None if it outlasts it."""

    grant: Grant
    user: User
    until: int | None


async def standing(work: UnitOfWork, grant_id: str, now: float) -> Standing:
    """The grant and its user, both of which stand now. Raises OAuthError("invalid_grant").

    Without ``offline_access`` a grant lasts no longer than its session.
    """
    grant = await work.grants.get(grant_id)
    if grant is None or not grant.stands(now):
        _refuse_grant("the grant has ended")
    user = await work.users.get(grant.user_id)
    if user is None or user.state != "active":
        _refuse_grant("the user is disabled")
    if OFFLINE_ACCESS in grant.scopes.get("", ()):
        return Standing(grant, user, None)
    session = await work.sessions.get(grant.session_id)
    if session is None or not session.stands(now):
        _refuse_grant("the session has ended")
    return Standing(grant, user, session.expires_at)


def _refuse_grant(seen: str) -> NoReturn:
    raise OAuthError(
        "invalid_grant",
        "the user's permission has ended",
        check="grant",
        seen=seen,
        expected="a standing grant, an active user, and their session or offline_access",
        mend="send the user to the authorization endpoint again",
    )


def _refuse_target(seen: str, apis: list[str]) -> NoReturn:
    raise OAuthError(
        "invalid_target",
        "name one resource that the user allowed",
        check="resource",
        seen=shown(seen),
        expected=shown(" or ".join(apis) or "none"),
    )
