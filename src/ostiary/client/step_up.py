"""An API's demand for a fresher or stronger sign-in: RFC 9470 section 3."""

from __future__ import annotations

from collections.abc import Iterable

from ostiary.client.errors import StepUpRequired
from ostiary.protocol import challenges
from ostiary.protocol.challenges import Challenge
from ostiary.protocol.checks import shown

_MAX_LEVELS = 20
_MAX_LEVEL_LENGTH = 256


def bearer_challenge(www_authenticate: Iterable[str]) -> Challenge | None:
    """The first Bearer challenge with an error code among the ``WWW-Authenticate`` headers of a 401."""
    told = challenges.readable(www_authenticate)
    return next((one for one in told if one.scheme == "bearer" and "error" in one.parameters), None)


def step_up(challenge: Challenge) -> StepUpRequired | None:
    """The demand in ``challenge``, or None where it makes none.

    What cannot be a level or a number of seconds is left aside; the API will say again that it wants more.
    """
    if challenge.parameters.get("error") != "insufficient_user_authentication":
        return None
    levels = challenge.parameters.get("acr_values", "").split()
    usable = tuple(level for level in levels[:_MAX_LEVELS] if len(level) <= _MAX_LEVEL_LENGTH and level.isprintable())
    text = challenge.parameters.get("max_age", "")
    max_age = int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None
    return StepUpRequired(usable, max_age, shown(challenge.parameters.get("error_description", "")))
