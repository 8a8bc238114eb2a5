"""How strong a sign-in was: ``acr`` (OpenID Connect Core 2), derived from its methods, ``amr`` (RFC 8176)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ostiary.protocol.acr import LEVELS, ONE_FACTOR, PHISHING_RESISTANT, TWO_FACTORS, satisfies

__all__ = ["LEVELS", "ONE_FACTOR", "PHISHING_RESISTANT", "TWO_FACTORS", "acr_of", "satisfies", "with_mfa"]

_KINDS = {"pwd": "know", "otp": "have", "hwk": "have", "swk": "have", "kba": "know", "fed": "elsewhere"}


def acr_of(amr: Collection[str]) -> str:
    """The level of the methods in ``amr``: a passkey with user verification, two kinds of factor, or one."""
    if {"hwk", "swk"} & set(amr) and "user" in amr:
        return PHISHING_RESISTANT
    kinds = {_KINDS[method] for method in amr if method in _KINDS}
    return TWO_FACTORS if "mfa" in amr or len(kinds) > 1 else ONE_FACTOR


def with_mfa(amr: Sequence[str]) -> tuple[str, ...]:
    """``amr`` without repetition, and with ``mfa`` where it holds more than one kind of factor (RFC 8176 section 2)."""
    distinct = tuple(dict.fromkeys(amr))
    return distinct if "mfa" in distinct or acr_of(distinct) == ONE_FACTOR else (*distinct, "mfa")
