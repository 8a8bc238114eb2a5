"""The grant ``refresh_token``: RFC 6749 section 6, RFC 9700 section 4.14.2. See ``refresh`` for the retry window."""

from __future__ import annotations

from functools import partial

from ostiary.audit import tags
from ostiary.authorization_server import peer_certificate, refresh, user_tokens
from ostiary.authorization_server.exchange import Exchange
from ostiary.authorization_server.grants.base import Approval, Burnt, GrantType, Members
from ostiary.authorization_server.refresh import Fresh
from ostiary.authorization_server.tokens import Issued
from ostiary.errors import OAuthError, VerificationError
from ostiary.model.grant import Grant
from ostiary.model.refresh_token import RefreshToken
from ostiary.model.user import User
from ostiary.protocol import token_format
from ostiary.protocol.certificate_binding import thumbprint
from ostiary.protocol.checks import SENDER_CONSTRAINT
from ostiary.revocation import Act, revoke_grant
from ostiary.storage.base import UnitOfWork


async def _approve(exchange: Exchange) -> Approval | Burnt:
    presented = _presented(exchange)
    async with exchange.server.storage.read() as work:
        present = await work.refresh_tokens.get(token_format.digest(presented))
        if present is None or present.client_id != exchange.client.client.client_id:
            # RFC 6749 6: "the refresh token is bound to the client to which it was issued"
            raise _refused("refresh_token", "no refresh token of this client")
        _check_binding(exchange, present)
        # Before its age: a used token's own idle time ends long before its family does, and reuse stays reuse.
        if present.used_at is not None and refresh.retried(exchange, presented, present) is None:
            return Burnt(_reused(), partial(_end_family, exchange, present))
        if exchange.now >= min(present.idle_until, present.expires_at):
            raise _refused("expiry", "a refresh token that has ended")
        grant, user, until = await user_tokens.standing(work, present.grant_id, exchange.now)
    api, scopes = await user_tokens.target(
        exchange.server, grant, exchange.form.get("resource"), exchange.form.get("scope")
    )
    fresh = await refresh.next_of(exchange, present)
    return Approval(
        api,
        grant,
        grant.subject,
        scopes,
        claims=user_tokens.signed_in_claims(grant),
        session_id=grant.session_id,
        until=until,
        members=partial(_id_token, exchange, grant, user),
        settle=partial(_settle, exchange, presented, present, fresh),
    )


def _check_binding(exchange: Exchange, present: RefreshToken) -> None:
    """A public client's token is good with its certificate alone: RFC 8705 sections 4 and 7.1.

    Before reuse: whoever lacks the certificate can neither use a token nor end a family.
    """
    bound, certificate = present.certificate_thumbprint, exchange.request.peer_certificate
    if bound and (certificate is None or thumbprint(certificate) != bound):
        raise _refused(
            SENDER_CONSTRAINT,
            peer_certificate.told(certificate) or "no client certificate",
            expected=f"the certificate {bound}",
        )


def _presented(exchange: Exchange) -> str:
    text = exchange.form.get("refresh_token")
    if text is None:
        raise OAuthError("invalid_request", "refresh_token is missing", check="refresh_token", expected="refresh_token")
    try:
        kind = token_format.parse(text).kind
    except VerificationError as error:
        raise _refused("refresh_token", error.seen) from None
    if kind != token_format.REFRESH_TOKEN:
        # 8725bis 3.12: only refresh tokens refresh; an access token or a code is none.
        raise _refused("type", kind, expected=token_format.REFRESH_TOKEN)
    return text


async def _settle(exchange: Exchange, presented: str, present: RefreshToken, fresh: Fresh, work: UnitOfWork) -> Members:
    await user_tokens.standing(work, present.grant_id, exchange.now)
    now, window = int(exchange.now), exchange.server.settings.authorization.refresh_retry
    if present.used_at is None:
        sealed = refresh.seal(exchange, presented, present, fresh) if window else None
        first = await work.refresh_tokens.use(
            present.digest,
            at=now,
            successor=sealed,
            successor_digest=fresh.record.digest,
            retry_until=now + window if window else None,
        )
        if first:
            # The token that was used now is a successor itself: from here on its predecessor is reuse.
            if present.generation:
                await work.refresh_tokens.close_windows_before(present.grant_id, present.digest)
            await work.refresh_tokens.add(fresh.record)
            return {"refresh_token": fresh.text}
    given = await _given(exchange, presented, present, work)
    if given is None:
        await _end_family(exchange, present, work)
        raise _reused()
    return {"refresh_token": given}


async def _given(exchange: Exchange, presented: str, present: RefreshToken, work: UnitOfWork) -> str | None:
    stored = await work.refresh_tokens.get(present.digest)
    return refresh.retried(exchange, presented, stored) if stored is not None else None


async def _end_family(exchange: Exchange, present: RefreshToken, work: UnitOfWork) -> None:
    caller = exchange.client
    act = Act(caller.client.client_id, exchange.now, "a used refresh token came back", caller.key_thumbprint)
    if await revoke_grant(work, present.grant_id, act):
        generation = str(present.generation)
        await work.audit.append(act.event(tags.REFRESH_REUSED, present.grant_id, generation=generation))


def _id_token(exchange: Exchange, grant: Grant, user: User, issued: Issued) -> Members:
    # OpenID Connect Core 12.2: the same iss, sub, aud and auth_time, and no nonce.
    if "openid" not in grant.scopes.get("", ()):
        return {}
    client = exchange.client.client
    return {"id_token": user_tokens.id_token_for(exchange.server, client, grant, user, issued, now=exchange.now)}


def _reused() -> OAuthError:
    return _refused("reuse", "a refresh token that was used before", expected="the youngest of its family")


def _refused(check: str, seen: str, *, expected: str = "") -> OAuthError:
    return OAuthError(
        "invalid_grant",
        "the refresh token is not good here",
        check=check,
        seen=seen,
        expected=expected or "an unused refresh token of this client, in time",
        mend="send the user to the authorization endpoint again",
    )


GRANT = GrantType("refresh_token", ("resource", "scope"), _approve, for_public_clients=True)
