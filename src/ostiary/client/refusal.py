"""What an API says when it refuses: RFC 6750 section 3.1, with Ostiary's trace id."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ostiary.protocol import challenges
from ostiary.protocol.checks import shown


@dataclass(frozen=True, slots=True)
class ApiRefusal:
    """The reason of a 401 or 403. scope: what the API asks for; trace: the id for ``ostiary explain``."""

    error: str = ""
    description: str = ""
    scope: str = ""
    trace: str = ""


def read_refusal(www_authenticate: Iterable[str]) -> ApiRefusal | None:
    """The reason that the ``WWW-Authenticate`` headers of a response give, or None where none of them can be read.

    It is for a person to read: nothing here is acted upon, for anybody may have sent it.
    """
    for challenge in challenges.readable(www_authenticate):
        if challenge.scheme == "bearer" or "trace" in challenge.parameters:
            said = {name: shown(text) for name, text in challenge.parameters.items()}
            return ApiRefusal(
                said.get("error", ""), said.get("error_description", ""), said.get("scope", ""), said.get("trace", "")
            )
    return None
