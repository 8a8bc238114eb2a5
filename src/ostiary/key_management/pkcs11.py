"""Keys of authorities in a token by PKCS #11 3.1: made there, never out of it, found again by id; extra ``pkcs11``.

The token is opened by the first use and again after a fault, so that a server runs on without it and takes it up when
it is back; what needs its keys is refused meanwhile. ECDSA is asked for by CKM_ECDSA over a hash made here, which is
what every token offers, RSA by CKM_SHA256_RSA_PKCS.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from ostiary.errors import ConfigurationError, Unavailable
from ostiary.extras import missing_extra
from ostiary.key_management import pkcs11_uri
from ostiary.key_management.base import GeneratedKey, Signer
from ostiary.key_management.pkcs11_uri import Pkcs11Uri
from ostiary.key_management.token_keys import KINDS, generated
from ostiary.key_management.token_thread import PART, RETRY_AFTER, TokenThread
from ostiary.protocol.jwk import parse_public_key
from ostiary.secret_files import read_secret_file
from ostiary.settings.certificate_authority import Pkcs11Settings

try:
    import pkcs11
    from pkcs11 import Mechanism, ObjectClass
except ImportError as error:
    raise missing_extra("pkcs11", error) from error

log = logging.getLogger(__name__)
T = TypeVar("T")

GENERATION_TIMEOUT: Final = 120.0
_THREAD = TokenThread()
_HASHES = {"ES256": hashlib.sha256, "ES384": hashlib.sha384}
_PIN_FAULTS = (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange)
_LOCKED = (pkcs11.PinLocked, pkcs11.PinExpired, pkcs11.UserPinNotInitialized)


class Pkcs11Token:
    """The token that the settings name; implements ``KeyToken``."""

    def __init__(self, settings: Pkcs11Settings, *, thread: TokenThread = _THREAD) -> None:
        self._settings = settings
        self._thread = thread
        self._session: pkcs11.Session | None = None
        self._keys: dict[Pkcs11Uri, pkcs11.SignMixin] = {}
        self._refused_pin = ""

    async def generate(self, alg: str) -> GeneratedKey:
        """A new key pair in the token; ``wrapped`` is its PKCS #11 URI. Raises ConfigurationError, Unavailable."""
        if alg not in KINDS:
            raise ConfigurationError(f"No key for {alg} is made in a token: choose one of {', '.join(KINDS)}.")
        return await self._thread.run(partial(self._told, partial(self._generate, alg)), GENERATION_TIMEOUT)

    def signer(self, kid: str, alg: str, reference: bytes) -> Signer:
        """What signs with a key in the token, by its URI; the token is asked only when it signs.

        Raises ConfigurationError: no such URI, another token than the configured one.
        """
        uri = pkcs11_uri.parse(reference.decode("utf-8", "replace"))
        if uri.token not in ("", self._settings.token):
            raise ConfigurationError(
                f"This key stands in the token {uri.token!r}, and certificate_authority.pkcs11.token names "
                f"{self._settings.token!r}: name the right one."
            )
        return _TokenSigner(kid, alg, uri, self)

    async def run(self, work: Callable[[], T]) -> T:
        """What ``work``, which signs, returns: off the event loop. Raises Unavailable, and what ``work`` raises."""
        return await self._thread.run(work, self._settings.timeout)

    def signature(self, uri: Pkcs11Uri, alg: str, signing_input: bytes) -> bytes:
        """Raises Unavailable: the token is gone, locked, or does not have the key. The log has the mend."""
        work = partial(self._told, partial(self._signature, uri, alg, signing_input))
        try:
            return self._thread.call(work, self._settings.timeout)
        except ConfigurationError as error:
            log.error("a certificate authority's key cannot be used: %s", error)
            raise Unavailable(PART, str(error), retry_after=RETRY_AFTER) from None

    # -- in the thread ------------------------------------------------------------------------------------------------

    def _told(self, work: Callable[[], T]) -> T:
        """``work``, tried again on a fresh connection after a fault. Raises ConfigurationError: one sentence."""
        try:
            return work()
        except pkcs11.PKCS11Error as error:
            log.warning("the token %s failed (%s) and is opened again", self._settings.token, type(error).__name__)
            self._forget()
        try:
            return work()
        except pkcs11.PKCS11Error as error:
            self._forget()
            raise ConfigurationError(
                f"The token {self._settings.token!r} failed: {type(error).__name__} {error}".rstrip() + "."
            ) from None

    def _generate(self, alg: str) -> GeneratedKey:
        uri = Pkcs11Uri(self._settings.token, os.urandom(16))
        key = parse_public_key(generated(self._open(), alg, uri.key_id, f"ostiary CA {alg}"), alg=alg)
        public = json.dumps(key.public_jwk(), separators=(",", ":"), sort_keys=True)
        return GeneratedKey(key.thumbprint, alg, public, uri.text().encode("ascii"))

    def _signature(self, uri: Pkcs11Uri, alg: str, signing_input: bytes) -> bytes:
        key = self._key(uri)
        if alg in _HASHES:
            return bytes(key.sign(_HASHES[alg](signing_input).digest(), mechanism=Mechanism.ECDSA))
        return bytes(key.sign(signing_input, mechanism=Mechanism.SHA256_RSA_PKCS))

    def _key(self, uri: Pkcs11Uri) -> pkcs11.SignMixin:
        if uri not in self._keys:
            try:
                found = self._open().get_key(ObjectClass.PRIVATE_KEY, id=uri.key_id or None, label=uri.label or None)
            except (pkcs11.NoSuchKey, pkcs11.MultipleObjectsReturned) as error:
                few = isinstance(error, pkcs11.NoSuchKey)
                raise ConfigurationError(
                    f"The token {self._settings.token!r} has {'no' if few else 'more than one'} key "
                    f"{uri.text()}: restore the token, or make another authority."
                ) from None
            if not isinstance(found, pkcs11.SignMixin):
                raise ConfigurationError(f"The key {uri.text()} does not sign: name a key that was made for signing.")
            self._keys[uri] = found
        return self._keys[uri]

    def _open(self) -> pkcs11.Session:
        if self._session is None:
            pin = self._pin()
            # A token locks itself after a few wrong PINs: one that it refused is not tried again.
            if pin == self._refused_pin:
                raise self._wrong_pin()
            token = self._token()
            try:
                self._session = token.open(rw=True, user_pin=pin)
            except _PIN_FAULTS:
                self._refused_pin = pin
                raise self._wrong_pin() from None
            except _LOCKED as error:
                raise ConfigurationError(
                    f"The token {self._settings.token!r} lets nobody in ({type(error).__name__}): its security officer "
                    "sets a new PIN."
                ) from None
        return self._session

    def _token(self) -> pkcs11.Token:
        try:
            library = pkcs11.lib(str(self._settings.module))
            return library.get_token(token_label=self._settings.token)
        except pkcs11.NoSuchToken:
            library.finalize()  # The next try looks at the slots anew: some modules see no token that came later.
            raise ConfigurationError(
                f"There is no token {self._settings.token!r}: connect it, or correct pkcs11.token."
            ) from None
        except pkcs11.MultipleTokensReturned:
            raise ConfigurationError(
                f"There are several tokens {self._settings.token!r}: leave one connected."
            ) from None
        except (pkcs11.PKCS11Error, RuntimeError) as error:
            raise ConfigurationError(
                f"The PKCS #11 module {self._settings.module} cannot be used ({error}): correct "
                "certificate_authority.pkcs11.module."
            ) from None

    def _pin(self) -> str:
        if self._settings.pin_file is not None:
            return read_secret_file(self._settings.pin_file).decode("utf-8", "replace").strip()
        if self._settings.pin is None:
            raise ConfigurationError(
                "There is no PIN for the token: put it into a file of mode 0600 and name that in "
                "certificate_authority.pkcs11.pin_file."
            )
        return self._settings.pin.get_secret_value()

    def _wrong_pin(self) -> ConfigurationError:
        where = self._settings.pin_file or "OSTIARY_CERTIFICATE_AUTHORITY__PKCS11__PIN"
        return ConfigurationError(
            f"The token {self._settings.token!r} refuses the PIN, which is not tried again: correct {where}."
        )

    def _forget(self) -> None:
        """Nothing of the connection is used again; the module is told to look at its slots anew."""
        self._session, self._keys = None, {}
        try:
            pkcs11.lib(str(self._settings.module)).finalize()
        except (pkcs11.PKCS11Error, RuntimeError) as error:
            log.warning("the PKCS #11 module could not be closed: %s", error)


@dataclass(frozen=True, slots=True)
class _TokenSigner:
    kid: str
    alg: str
    uri: Pkcs11Uri
    token: Pkcs11Token

    def sign(self, signing_input: bytes) -> bytes:
        return self.token.signature(self.uri, self.alg, signing_input)
