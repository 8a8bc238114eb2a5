"""Self-contained access tokens: RFC 9068, with a grant id and ``rev``, the revocation log's position at issuance."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ostiary.errors import VerificationError
from ostiary.protocol import claims as common
from ostiary.protocol import jws as compact
from ostiary.protocol import strict_json
from ostiary.protocol.checks import (
    CLAIMS,
    CLIENT,
    ISSUED_AT,
    ISSUER,
    JTI,
    NOT_BEFORE,
    SCOPE,
    SUBJECT,
    Note,
    checked_leeway,
    shown,
)
from ostiary.protocol.jwk import VerificationKey

TYP = "at+jwt"
_MAX_SCOPE_LENGTH = 4096
_KEPT_SCOPES = 256
# RFC 6749 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ), separated by single spaces.
_SCOPE = re.compile(r"(?:[!#-\[\]-~]+(?: [!#-\[\]-~]+)*)?")


class AccessTokenClaims(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The claims of an access token (RFC 9068 section 2.2). Times are seconds since the epoch.

    rev: position of the revocation log when the token was issued; grant_id: the grant it hangs on.
    cnf: what the sender must prove (RFC 7800); client_key: thumbprint of the client's key or certificate that obtained
    it, which a revocation may name; status: where its status stands (``protocol.status_list``); extra: every further
    claim.
    """

    iss: str
    sub: str
    aud: tuple[str, ...]
    exp: float
    iat: float
    jti: str
    client_id: str
    scope: str = ""
    nbf: float | None = None
    auth_time: float | None = None
    acr: str | None = None
    amr: tuple[str, ...] | None = None
    sid: str | None = None
    cnf: dict[str, object] | None = None
    grant_id: str | None = None
    rev: int | None = None
    client_key: str | None = None
    status: dict[str, object] | None = None
    extra: dict[str, object] = {}

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scope as its single tokens."""
        return tuple(self.scope.split())


_STANDARD = frozenset(AccessTokenClaims.__struct_fields__) - {"extra"}

_Name = Annotated[str, Meta(min_length=1)]
_Text = Annotated[str, Meta(min_length=1, max_length=common.MAX_TEXT_LENGTH)]
_Url = Annotated[str, Meta(min_length=1, max_length=common.MAX_URL_LENGTH)]
_BOUNDED = Meta(ge=-common.LAST_TIME, le=common.LAST_TIME)
_Time = Annotated[int, _BOUNDED] | Annotated[float, _BOUNDED]


class _Usual(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The claims of most tokens, as ``_one_by_one`` would have them. UNSET is a claim that is absent: null is none."""

    iss: _Url
    sub: _Text
    aud: _Name | Annotated[tuple[_Name, ...], Meta(min_length=1)]
    exp: _Time
    iat: _Time
    jti: _Text
    client_id: _Url
    scope: str = ""
    nbf: _Time | UnsetType = UNSET
    grant_id: _Text | UnsetType = UNSET
    rev: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    client_key: _Text | UnsetType = UNSET


class _Rarer(_Usual, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The claims of tokens with a user, a certificate or a status: by themselves, for each costs the others time."""

    auth_time: _Time | UnsetType = UNSET
    acr: _Text | UnsetType = UNSET
    amr: tuple[str, ...] | UnsetType = UNSET
    sid: _Text | UnsetType = UNSET
    cnf: dict[str, object] | UnsetType = UNSET
    status: dict[str, object] | UnsetType = UNSET

    def added_to(self, claims: AccessTokenClaims) -> AccessTokenClaims:
        """``claims``, those of ``_Usual``, with the rarer ones that are there."""
        found = {name: getattr(self, name) for name in _RARER}
        there = {name: value for name, value in found.items() if value is not UNSET}
        return msgspec.structs.replace(claims, **there)


_RARER = _Rarer.__struct_fields__[len(_Usual.__struct_fields__) :]


def build(claims: AccessTokenClaims) -> bytes:
    """The payload for ``claims``, to be signed with the type ``at+jwt``.

    ``aud`` of one member is written as a text. Raises VerificationError("claims") if ``extra`` names a standard claim.
    """
    members: dict[str, object] = msgspec.to_builtins(claims)
    if len(claims.aud) == 1:
        members["aud"] = claims.aud[0]
    if claims.extra:
        members.pop("extra", None)
        if _STANDARD & claims.extra.keys():
            raise VerificationError(
                CLAIMS, "a further claim would replace a standard one", seen=shown(set(claims.extra))
            )
        members.update(claims.extra)
    return strict_json.encode(members)


def unverified_issuer(jws: compact.CompactJws) -> str:
    """``iss`` of a token that nobody has verified yet: only to choose whose keys to try."""
    return common.text(jws.claims(), "iss", check=ISSUER, max_length=common.MAX_URL_LENGTH)


def verify(
    jws: compact.CompactJws,
    key: VerificationKey,
    *,
    issuer: str,
    audience: str | Collection[str],
    now: float,
    leeway: float = 10,
    note: Note | None = None,
) -> AccessTokenClaims:
    """The claims of an access token of ``issuer`` for ``audience`` (one name of this API, or several).

    now, leeway: seconds; leeway at most 60. Order of the checks: signature, type, issuer, audience, times, the rest.
    Raises VerificationError. Source: RFC 9068 section 4.
    """
    checked_leeway(leeway)
    compact.verify(jws, key, note)
    common.check_type(jws, TYP, note)
    members = jws.claims()
    common.check_issuer(members, issuer, note)
    rarer = "auth_time" in members or "cnf" in members or "status" in members
    try:
        usual = msgspec.convert(members, _Rarer if rarer else _Usual)
    except msgspec.ValidationError:
        return _one_by_one(members, issuer, audience, now, leeway, note)
    audiences = (usual.aud,) if isinstance(usual.aud, str) else usual.aud
    common.check_audience(audiences, audience, note)
    common.not_expired(usual.exp, now, leeway, note)
    if usual.nbf is not UNSET:
        common.not_future(usual.nbf, NOT_BEFORE, now, leeway, note)
    common.not_future(usual.iat, ISSUED_AT, now, leeway, note)
    scope_tokens(usual.scope)
    claims = AccessTokenClaims(
        iss=issuer,
        sub=usual.sub,
        aud=audiences,
        exp=usual.exp,
        iat=usual.iat,
        jti=usual.jti,
        client_id=usual.client_id,
        scope=usual.scope,
        nbf=None if usual.nbf is UNSET else usual.nbf,
        grant_id=None if usual.grant_id is UNSET else usual.grant_id,
        rev=None if usual.rev is UNSET else usual.rev,
        client_key=None if usual.client_key is UNSET else usual.client_key,
    )
    return usual.added_to(claims) if isinstance(usual, _Rarer) else claims


def _one_by_one(
    members: dict[str, object],
    issuer: str,
    audience: str | Collection[str],
    now: float,
    leeway: float,
    note: Note | None,
) -> AccessTokenClaims:
    """The claims of a token that has rarer ones too, or one that is not as it must be: the error says which."""
    audiences = common.audiences(members)
    common.check_audience(audiences, audience, note)
    expires = common.check_expiry(members, now, leeway, note)
    not_before = common.check_not_future(members, "nbf", now, leeway, note)
    issued = common.check_not_future(members, "iat", now, leeway, note)
    if issued is None:
        raise VerificationError(ISSUED_AT, "iat missing", seen="absent", expected="a time", mend='send the claim "iat"')
    return AccessTokenClaims(
        iss=issuer,
        sub=common.text(members, "sub", check=SUBJECT),
        aud=audiences,
        exp=expires,
        iat=issued,
        jti=common.text(members, "jti", check=JTI),
        client_id=common.text(members, "client_id", check=CLIENT, max_length=common.MAX_URL_LENGTH),
        scope=_scope(members),
        nbf=not_before,
        grant_id=common.optional_text(members, "grant_id"),
        rev=common.whole_number(members, "rev"),
        client_key=common.optional_text(members, "client_key"),
        auth_time=common.numeric_date(members, "auth_time", CLAIMS),
        acr=common.optional_text(members, "acr"),
        amr=common.optional_texts(members, "amr"),
        sid=common.optional_text(members, "sid"),
        cnf=_object(members, "cnf"),
        status=_object(members, "status"),
        extra={name: value for name, value in members.items() if name not in _STANDARD},
    )


@lru_cache(_KEPT_SCOPES)
def scope_tokens(scope: str) -> frozenset[str]:
    """The single tokens of ``scope``; kept, for many tokens have the same. Raises VerificationError("scope")."""
    if len(scope) > _MAX_SCOPE_LENGTH or _SCOPE.fullmatch(scope) is None:
        raise _unusable_scope(scope)
    return frozenset(scope.split())


def _scope(members: dict[str, object]) -> str:
    scope = members.get("scope", "")
    if not isinstance(scope, str):
        raise _unusable_scope(scope)
    scope_tokens(scope)
    return scope


def _unusable_scope(scope: object) -> VerificationError:
    return VerificationError(SCOPE, "scope unusable", seen=shown(scope), expected="scope tokens between single spaces")


def _object(members: dict[str, object], name: str) -> dict[str, object] | None:
    value = members.get(name)
    if name not in members or isinstance(value, dict):
        return value if isinstance(value, dict) else None
    # A binding, or a status, that cannot be read must not pass for none (RFC 7800 3.1).
    raise VerificationError(CLAIMS, f"{name} unusable", seen=shown(value), expected="an object")
