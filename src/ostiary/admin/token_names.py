"""Which token an operator means: by its ``jti``, or by the token itself, which is genuine or names nothing."""

from __future__ import annotations

from ostiary.admin.existing import NotThere
from ostiary.errors import ConfigurationError, VerificationError
from ostiary.model.token import TAKEN_BEYOND_ITS_END, AccessToken
from ostiary.protocol import access_token, jws, token_format
from ostiary.protocol import claims as common
from ostiary.protocol.jwk import parse_public_key
from ostiary.storage.base import UnitOfWork

_GONE = "it ended long ago, was never issued here, or see `ostiary token list --client ID`"


def is_token(text: str) -> bool:
    """Whether ``text`` looks like a token itself and not like a ``jti``, which has neither dots nor our prefix."""
    return token_format.looks_like(text) or text.count(".") >= 2


async def named_grant(work: UnitOfWork, text: str) -> str | None:
    """The grant of the refresh token ``text``, None if ``text`` is something else.

    Raises ConfigurationError: a secret that is no token; NotThere: a refresh token that is not known here.
    """
    if not token_format.looks_like(text):
        return None
    try:
        kind = token_format.parse(text).kind
    except VerificationError:
        raise ConfigurationError("that token is mistyped or cut off: its checksum is wrong") from None
    if kind == token_format.REFERENCE_ACCESS_TOKEN:
        return None
    if kind != token_format.REFRESH_TOKEN:
        raise ConfigurationError(f"that is a secret of Ostiary of the kind {kind!r} and no access or refresh token")
    found = await work.refresh_tokens.get(token_format.digest(text))
    if found is None:
        raise NotThere(f"there is no such refresh token: {_GONE}")
    return found.grant_id


async def named_token(work: UnitOfWork, issuer: str, text: str, now: float) -> AccessToken:
    """The record of the access token ``text``, of either format, or of this ``jti``. Raises ConfigurationError."""
    if token_format.looks_like(text):
        found, told = await work.tokens.by_digest(token_format.digest(text)), "such access token"
    elif is_token(text):
        found, told = await work.tokens.by_jti(await _verified_jti(work, issuer, text, now)), "such access token"
    else:
        found, told = await work.tokens.by_jti(text), f"token {text!r}"
    if found is None:
        raise NotThere(f"there is no {told}: {_GONE}")
    return found


async def _verified_jti(work: UnitOfWork, issuer: str, text: str, now: float) -> str:
    """Of a token that this installation signed: a forged one must not end the genuine one whose ``jti`` it bears."""
    try:
        parsed = jws.parse(text)
        for key in await work.signing_keys.list("token"):
            if key.kid == parsed.header.kid:
                audience = common.audiences(parsed.claims())
                public = parse_public_key(key.public_jwk)
                beyond = TAKEN_BEYOND_ITS_END
                return access_token.verify(parsed, public, issuer=issuer, audience=audience, now=now, leeway=beyond).jti
    except VerificationError as error:
        raise ConfigurationError(f"that is no access token that could be ended: {error.public}") from None
    raise ConfigurationError("that is no access token of this installation: no key of its own has signed it")
