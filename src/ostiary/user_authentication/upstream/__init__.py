"""Sign-in through an upstream OpenID Provider: ``fed`` (OpenID EAP; RFC 8176 has no name for it).

Whom the provider names is known by ``iss`` and ``sub`` together (ASVS 6.8.1), never by an e-mail address.
"""

from __future__ import annotations

from ostiary.errors import VerificationError
from ostiary.user_authentication.attempt import Attempt, Method, Proved


async def _prove(attempt: Attempt) -> Proved:
    raise VerificationError(
        "method", "not by a form", seen="a form", expected="the answer of the provider, at its own endpoint"
    )


METHOD = Method("upstream", "upstream", first=False, second=False, prove=_prove)
"""Its name; what it examines comes to ``endpoints/upstream.py``."""
