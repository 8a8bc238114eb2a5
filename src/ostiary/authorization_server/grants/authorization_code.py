"""The grant ``authorization_code``: RFC 6749 section 4.1.3, RFC 7636 section 4.6, RFC 9700 sections 2.1.1 and 4.5."""

from __future__ import annotations

from functools import partial

from ostiary.authorization_server import authorization_code as codes
from ostiary.authorization_server import refresh, user_tokens
from ostiary.authorization_server.authorization_code import CodePayload
from ostiary.authorization_server.exchange import Exchange
from ostiary.authorization_server.grants.base import Approval, Burnt, GrantType, Members
from ostiary.authorization_server.tokens import Issued
from ostiary.errors import OAuthError
from ostiary.model.grant import Grant
from ostiary.model.user import User
from ostiary.protocol import pkce, token_format
from ostiary.protocol.checks import shown
from ostiary.revocation import Act, revoke_grant
from ostiary.storage.base import UnitOfWork


async def _approve(exchange: Exchange) -> Approval | Burnt:
    code = exchange.form.get("code")
    if code is None:
        raise OAuthError("invalid_request", "code is missing", check="code", expected="the parameter code")
    digest = token_format.digest(code)
    async with exchange.server.storage.read() as work:
        artifact = await work.artifacts.get(codes.KIND, digest)
        if artifact is None:
            raise _refused("code", "no such code")
        payload = codes.payload_of(artifact)
        try:
            if artifact.consumed_at is not None:
                raise _spent()
            _check(exchange, payload)
            grant, user, until = await user_tokens.standing(work, payload.grant_id, exchange.now)
        except OAuthError as error:
            # RFC 9700 4.2.4, RFC 6749 4.1.2: a failed try spends the code, a second try ends what came of the first.
            return Burnt(error, partial(_spend, exchange, digest, payload))
    scope = exchange.form.get("scope")
    api, scopes = await user_tokens.target(exchange.server, grant, exchange.form.get("resource"), scope)
    fresh = await refresh.first(exchange, grant)
    return Approval(
        api,
        grant,
        grant.subject,
        scopes,
        claims=user_tokens.signed_in_claims(grant),
        session_id=grant.session_id,
        until=until,
        members=partial(_id_token, exchange, grant, user, payload),
        settle=partial(_settle, exchange, digest, payload, fresh),
    )


def _check(exchange: Exchange, payload: CodePayload) -> None:
    form, client = exchange.form, exchange.client.client
    if payload.client_id != client.client_id:
        # RFC 6749 4.1.3: "ensure that the authorization code was issued to the authenticated confidential client, or if
        # the client is public, ensure that the code was issued to 'client_id' in the request"
        raise _refused("client", "issued to another client", expected=payload.client_id)
    if payload.good_until <= exchange.now:
        raise _refused("expiry", f"a code that was good until {payload.good_until}")
    sent = form.get("redirect_uri")
    # OAuth 2.1 no longer sends it here, because PKCE does its work; whoever sends it must send the same. Without PKCE
    # it is "REQUIRED, if the redirect_uri parameter was included in the authorization request" (RFC 6749 4.1.3).
    if (sent is not None or payload.code_challenge is None) and (sent or "") != payload.redirect_uri:
        raise _refused("redirect_uri", shown(sent or "absent"), expected=shown(payload.redirect_uri or "absent"))
    verifier = form.get("code_verifier")
    if payload.code_challenge is None:
        # RFC 9700 4.8.2: "the authorization server MUST ... only accept a request containing a code_verifier parameter
        # if the authorization request contained a code_challenge parameter" (against the downgrade of PKCE).
        if verifier is not None:
            raise _refused("pkce", "a code_verifier without a code_challenge", expected="none")
    elif verifier is None or not pkce.matches(verifier, payload.code_challenge):
        raise _refused("pkce", "no code_verifier" if verifier is None else "another code_verifier")


async def _settle(
    exchange: Exchange, digest: bytes, payload: CodePayload, fresh: refresh.Fresh | None, work: UnitOfWork
) -> Members:
    if await work.artifacts.consume(codes.KIND, digest, now=int(exchange.now)) is None:
        await _end(exchange, payload, work)
        raise _spent()
    standing = await user_tokens.standing(work, payload.grant_id, exchange.now)
    await _keep(exchange, standing.grant, fresh, work)
    if fresh is None:
        return {}
    await work.refresh_tokens.add(fresh.record)
    return {"refresh_token": fresh.text}


async def _keep(exchange: Exchange, grant: Grant, fresh: refresh.Fresh | None, work: UnitOfWork) -> None:
    """Let a redeemed grant last as long as its refresh tokens, and as the session whose end its client is told."""
    until = fresh.record.expires_at if fresh is not None else 0
    login = exchange.client.client.login
    if login is not None and login.backchannel_logout_uri is not None:
        session = await work.sessions.get(grant.session_id)
        until = max(until, session.expires_at if session is not None else 0)
    if until > (grant.expires_at or 0):
        await work.grants.prolong(grant.grant_id, until)


async def _spend(exchange: Exchange, digest: bytes, payload: CodePayload, work: UnitOfWork) -> None:
    if await work.artifacts.consume(codes.KIND, digest, now=int(exchange.now)) is None:
        await _end(exchange, payload, work)


async def _end(exchange: Exchange, payload: CodePayload, work: UnitOfWork) -> None:
    act = Act(exchange.client.client.client_id, exchange.now, "the code was used twice", exchange.client.key_thumbprint)
    await revoke_grant(work, payload.grant_id, act)


def _id_token(exchange: Exchange, grant: Grant, user: User, payload: CodePayload, issued: Issued) -> Members:
    if "openid" not in grant.scopes.get("", ()):
        return {}
    client = exchange.client.client
    text = user_tokens.id_token_for(exchange.server, client, grant, user, issued, now=exchange.now, nonce=payload.nonce)
    return {"id_token": text}


def _spent() -> OAuthError:
    return _refused("code", "a code that was used before", expected="a code used once")


def _refused(check: str, seen: str, *, expected: str = "") -> OAuthError:
    return OAuthError(
        "invalid_grant",
        "the code is not good here",
        check=check,
        seen=seen,
        expected=expected or "the code of this client's own request, in time, with its verifier",
        mend="send the user to the authorization endpoint again",
    )


GRANT = GrantType("authorization_code", ("redirect_uri", "resource", "scope"), _approve, for_public_clients=True)
