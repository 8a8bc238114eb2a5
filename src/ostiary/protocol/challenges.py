"""The header WWW-Authenticate: RFC 9110 section 11.6.1, RFC 6750 section 3, RFC 9728 section 5.1."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ostiary.errors import VerificationError
from ostiary.protocol.checks import malformed

MAX_LENGTH = 8192
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = r'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
_PARAMETER = re.compile(rf"({_TOKEN})[ \t]*=[ \t]*({_TOKEN}|{_QUOTED})")
_SCHEME = re.compile(rf"({_TOKEN})(?:[ ]+|(?=,|$))")
_TOKEN68 = re.compile(r"([A-Za-z0-9\-._~+/]+=*)[ \t]*(?=,|$)")
_GAP = re.compile(r"[ \t]*(?:,[ \t]*)*")
_ESCAPED = re.compile(r"\\(.)")
# RFC 6750 3: error, error_description and scope hold %x20-21 / %x23-5B / %x5D-7E alone; we keep every value to that.
_UNSAFE = re.compile(r"[^ !#-\[\]-~]")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge: its scheme in lower case, its parameters by lower-case name, or a token68."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)
    token68: str | None = None


def bearer(
    *,
    realm: str | None = None,
    error: str | None = None,
    error_description: str | None = None,
    scope: str | None = None,
    resource_metadata: str | None = None,
    acr_values: str | None = None,
    max_age: str | None = None,
    trace: str | None = None,
) -> str:
    """The value of a Bearer challenge; acr_values and max_age (seconds) are those of a step-up (RFC 9470 section 3).

    A character that could end the quoted text or the header (a quote, a backslash, CR, LF, anything not printable
    ASCII) becomes ``?``, so that no value can inject a parameter or a header.
    """
    parameters = {
        "realm": realm,
        "error": error,
        "error_description": error_description,
        "scope": scope,
        "resource_metadata": resource_metadata,
        "acr_values": acr_values,
        "max_age": max_age,
        "trace": trace,
    }
    written = ", ".join(
        f'{name}="{_UNSAFE.sub("?", value)}"' for name, value in parameters.items() if value is not None
    )
    return f"Bearer {written}".rstrip()


def parse(value: str) -> list[Challenge]:
    """The challenges in a WWW-Authenticate value, in order.

    Raises VerificationError("format") for what RFC 9110 11.6.1 does not allow, and for a parameter that stands twice in
    one challenge ("can only occur once per challenge", 11.2).
    """
    if len(value) > MAX_LENGTH:
        raise malformed("a header value that is too long", expected=f"at most {MAX_LENGTH} characters")
    challenges: list[Challenge] = []
    position = _skip(value, 0)
    while position < len(value):
        challenge, position = _challenge(value, position)
        challenges.append(challenge)
    return challenges


def readable(values: Iterable[str]) -> Iterator[Challenge]:
    """The challenges in the WWW-Authenticate headers of one answer; a header that cannot be read is left aside."""
    for value in values:
        try:
            yield from parse(value)
        except VerificationError:
            continue


def _challenge(value: str, position: int) -> tuple[Challenge, int]:
    scheme = _SCHEME.match(value, position)
    if scheme is None:
        raise malformed("a challenge without a scheme")
    name, position = scheme[1].lower(), scheme.end()
    parameters: dict[str, str] = {}
    while (parameter := _PARAMETER.match(value, position)) is not None:
        if parameter[1].lower() in parameters:
            raise malformed("a challenge with a parameter twice")
        parameters[parameter[1].lower()] = _unquoted(parameter[2])
        position = _next(value, parameter.end())
    if not parameters and (token68 := _TOKEN68.match(value, position)) is not None and value[position - 1] == " ":
        return Challenge(name, token68=token68[1]), _next(value, token68.end())
    return Challenge(name, parameters), position if parameters else _next(value, position)


def _next(value: str, position: int) -> int:
    after = _skip(value, position)
    if after < len(value) and "," not in value[position:after]:
        raise malformed("challenges or parameters without a comma between")
    return after


def _skip(value: str, position: int) -> int:
    gap = _GAP.match(value, position)
    return gap.end() if gap else position


def _unquoted(text: str) -> str:
    return _ESCAPED.sub(r"\1", text[1:-1]) if text.startswith('"') else text
