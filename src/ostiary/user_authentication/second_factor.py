"""Whether a sign-in needs another proof: because of its user, the installation, or what the application asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence

from ostiary.authorization_server.browser.interaction import Interaction
from ostiary.model.factor import Factor
from ostiary.settings.sections import SignInSettings
from ostiary.user_authentication.acr import ONE_FACTOR, PHISHING_RESISTANT, acr_of, satisfies, with_mfa

LIFE = 600
"""Seconds for which a first proof waits for the second."""


def is_wanted(
    settings: SignInSettings, interaction: Interaction, amr: Sequence[str], factors: Collection[Factor]
) -> bool:
    """Whether ``amr`` is not enough. factors: the user's.

    A user who has set up codes wants to be asked for them. ``acr_values`` is what an application would like (OpenID
    Connect Core 3.1.2.1): it is asked for where the user has the means, and what was reached is told in ``acr``.
    """
    level = acr_of(with_mfa(amr))
    kinds = {factor.kind for factor in factors}
    asked = interaction.parameters.get("acr_values", "").split()
    if level == ONE_FACTOR and ("totp" in kinds or settings.second_factor == "required"):
        return True
    if satisfies(level, asked):
        return False
    return "passkey" in kinds and (level == ONE_FACTOR or PHISHING_RESISTANT in asked)


def first_proofs(factors: Iterable[Factor]) -> str:
    """A digest of what the user can begin a sign-in by; it differs as soon as one is changed, added or removed."""
    digest = hashlib.sha256()
    for factor in sorted(factors, key=lambda one: one.factor_id):
        if factor.kind in ("password", "passkey", "upstream"):
            digest.update(f"{factor.factor_id} {len(factor.secret)} ".encode() + factor.secret)
    return digest.hexdigest()


def must_be_set_up(factors: Collection[Factor]) -> bool:
    """Whether the user has nothing that could follow a password, so that a demanded second factor is set up now.

    Never beside one that is there: whoever has the password alone would add a second factor of their own.
    """
    return not any(factor.kind in ("totp", "passkey", "recovery_code") for factor in factors)
