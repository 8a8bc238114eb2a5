"""The rules for the names that an operator chooses; settings, command line and admin API share them.

Each function returns its argument or raises ValueError with a sentence that goes on from the name of the member.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import urlsplit

from ostiary.errors import VerificationError
from ostiary.model.client import USER_SUBJECT_PREFIX
from ostiary.protocol import spiffe_id

MAX_CLIENT_ID_LENGTH: Final = 64
MAX_IDENTIFIER_LENGTH: Final = 2048
MAX_SCOPE_LENGTH: Final = 128
API_CLIENT_PREFIX: Final = "api_"

_CLIENT_ID = re.compile(r"[A-Za-z0-9._~-]{1,64}")
# RFC 6749 section 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
# RFC 3986 section 4.3, absolute-URI: a scheme and the characters of the appendix A, without "#".
_ABSOLUTE_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")
_UNPRINTABLE = frozenset(("Cc", "Cs"))  # control characters and halves of surrogate pairs


def client_id(text: str) -> str:
    """RFC 9068 section 5: a client must not choose an identifier that could be mistaken for a user's subject."""
    if not _CLIENT_ID.fullmatch(text):
        raise ValueError("must be 1 to 64 of the characters A-Z a-z 0-9 . _ ~ -")
    if text.startswith(USER_SUBJECT_PREFIX):
        raise ValueError(f'must not begin with "{USER_SUBJECT_PREFIX}", as the subjects of users do')
    return text


def api_client_id(text: str) -> str:
    """The client_id of an API's own identity: seen in a log, it must not pass for a client's."""
    if not text.startswith(API_CLIENT_PREFIX):
        raise ValueError(f'must begin with "{API_CLIENT_PREFIX}"')
    return client_id(text)


def api_identifier(text: str) -> str:
    """RFC 8707 section 2: "an absolute URI ... The URI MUST NOT include a fragment component"."""
    if len(text) > MAX_IDENTIFIER_LENGTH:
        raise ValueError(f"must have at most {MAX_IDENTIFIER_LENGTH} characters")
    if not _ABSOLUTE_URI.fullmatch(text) or not _names_something(text):
        raise ValueError("must be an absolute URI without a fragment, such as https://orders.example.com")
    return text


def workload(text: str) -> str:
    """The SPIFFE ID of a workload, of whatever trust domain: the SPIFFE ID standard, section 2."""
    try:
        spiffe_id.check_workload(text)
    except VerificationError as error:
        raise ValueError(f"is no SPIFFE ID of a workload: expected {error.expected}") from None
    return text


def scope(text: str) -> str:
    """A scope token, RFC 6749 section 3.3."""
    if not _SCOPE.fullmatch(text):
        raise ValueError('is no scope: printable ASCII without space, quote and backslash, such as "orders:read"')
    if len(text) > MAX_SCOPE_LENGTH:
        raise ValueError(f"must have at most {MAX_SCOPE_LENGTH} characters")
    return text


def one_line(text: str) -> str:
    """Free text for people, such as a name or an owner."""
    if any(unicodedata.category(character) in _UNPRINTABLE for character in text):
        raise ValueError("must be one line of text without control characters")
    return text


def _names_something(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    return bool(parts.hostname) if parts.scheme in ("http", "https") else bool(parts.netloc or parts.path)
