"""How a key in a token is named: a PKCS #11 URI, RFC 7512, of the attributes ``token``, ``id`` and ``object``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from ostiary.errors import ConfigurationError

_SCHEME = "pkcs11:"
_ATTRIBUTE = re.compile(r"(token|id|object|type)=([A-Za-z0-9_.~:\[\]@!$'()*+,&%-]*)")


@dataclass(frozen=True, slots=True)
class Pkcs11Uri:
    """token: the token's label, "" for whichever is configured; key_id: CKA_ID; label: CKA_LABEL. One of both is given.

    text(): the URI; parse(): the reverse.
    """

    token: str = ""
    key_id: bytes = b""
    label: str = ""

    def text(self) -> str:
        """The URI. "It is RECOMMENDED to percent-encode the whole value of the 'id' attribute" (RFC 7512 2.3)."""
        parts = [f"token={quote(self.token, safe='')}"] if self.token else []
        parts += ["id=" + "".join(f"%{octet:02X}" for octet in self.key_id)] if self.key_id else []
        parts += [f"object={quote(self.label, safe='')}"] if self.label else []
        return _SCHEME + ";".join([*parts, "type=private"])


def parse(text: str) -> Pkcs11Uri:
    """The name in ``text``. Raises ConfigurationError: no such URI, another attribute, or neither id nor object."""
    found: dict[str, bytes] = {}
    for part in text.removeprefix(_SCHEME).split(";"):
        match = _ATTRIBUTE.fullmatch(part)
        # "The attribute is not allowed to appear more than once in the URI path" RFC 7512 2.3
        if match is None or match[1] in found:
            raise _wrong(text)
        found[match[1]] = unquote_to_bytes(match[2])
    if not text.startswith(_SCHEME) or found.get("type", b"private") != b"private":
        raise _wrong(text)
    try:
        made = Pkcs11Uri(found.get("token", b"").decode(), found.get("id", b""), found.get("object", b"").decode())
    except UnicodeDecodeError:
        raise _wrong(text) from None
    if not made.key_id and not made.label:
        raise _wrong(text)
    return made


def _wrong(text: str) -> ConfigurationError:
    return ConfigurationError(
        f"{text!r} names no private key in a token: write pkcs11:token=LABEL;object=NAME or pkcs11:token=LABEL;id=%01"
    )
