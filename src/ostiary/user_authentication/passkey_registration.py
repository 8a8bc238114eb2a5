"""A user makes a passkey: Web Authentication Level 3, section 7.1."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import msgspec

from ostiary.authorization_server.browser.cookies import BrowserSecrets
from ostiary.model.factor import Factor
from ostiary.model.user import User
from ostiary.revocation.act import Act
from ostiary.storage.base import UnitOfWork
from ostiary.user_authentication import names
from ostiary.user_authentication.accounts import add_factor, new_factor
from ostiary.user_authentication.passkey_challenge import CHALLENGE, LIFE, Challenge, new_challenge, opened
from ostiary.user_authentication.passkey_response import (
    PASSKEY,
    credential_id,
    examined,
    octets,
    parsed,
    refuse_embedded,
    wrong,
)
from ostiary.user_authentication.registered_passkeys import (
    AAGUID,
    BACKED_UP,
    DEVICE_TYPE,
    TRANSPORTS,
    descriptors,
    known_transports,
)
from ostiary.user_authentication.relying_party import required_party

if TYPE_CHECKING:
    from webauthn.helpers.cose import COSEAlgorithmIdentifier

    from ostiary.authorization_server.context import AuthorizationServer

MAX_PASSKEYS: Final = 20

# Attestation is not asked for, so the browser strips it, but for what an authenticator says of itself (section 5.1.3).
# Certificates of anybody's making are never looked into.
_FORMATS = ("none", "packed")


class _Response(msgspec.Struct, frozen=True, rename="camel"):
    client_data: str = msgspec.field(name="clientDataJSON")
    attestation_object: str
    transports: list[str] = []


class _Sent(msgspec.Struct, frozen=True):
    """RegistrationResponseJSON, section 5.1."""

    id: str
    rawId: str  # noqa: N815 - as in the specification
    response: _Response


@dataclass(frozen=True, slots=True)
class Made:
    """A passkey that was made and is good, but not kept yet."""

    factor: Factor
    challenge: Challenge

    async def keep(self, work: UnitOfWork, act: Act) -> None:
        """Raises VerificationError: the challenge was answered before; ConfigurationError: it is registered already."""
        await self.challenge.use(work, act.now)
        await add_factor(work, self.factor, act)


def options(
    server: AuthorizationServer, browser: BrowserSecrets, user: User, factors: Collection[Factor], now: float
) -> dict[str, object]:
    """What a script needs to have a passkey made: ``publicKey``, and ``challenge`` to be sent back with it.

    factors: the user's; an authenticator that holds one of the passkeys among them makes no other.
    Raises VerificationError: passkeys do not work at this issuer.
    """
    # Imported late: the library costs 6 MB, which an installation without passkeys need not hold.
    from webauthn import generate_registration_options
    from webauthn.helpers import options_to_json_dict
    from webauthn.helpers.structs import (
        AttestationConveyancePreference,
        AuthenticatorSelectionCriteria,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    party = required_party(server.issuer)
    challenge = new_challenge(server, browser, "registration", now, user.user_id)
    name = user.claims.get("name")
    asked = generate_registration_options(
        rp_id=party.id,
        rp_name=server.settings.sign_in.application_name,
        user_name=user.username,
        # "the user handle MUST NOT contain personally identifying information" section 14.6.1: the id is random.
        user_id=user.user_id.encode("utf-8"),
        user_display_name=name if isinstance(name, str) and name else user.username,
        challenge=challenge.octets,
        timeout=LIFE * 1000,
        attestation=AttestationConveyancePreference.NONE,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            require_resident_key=True,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=descriptors(factors),
        supported_pub_key_algs=_algorithms(),
    )
    return {"publicKey": options_to_json_dict(asked), CHALLENGE: challenge.sealed}


def made(server: AuthorizationServer, browser: BrowserSecrets, user: User, form: Mapping[str, str], now: float) -> Made:
    """The passkey in ``form``. Raises VerificationError: it does not answer the challenge of this user as it should."""
    from webauthn import verify_registration_response
    from webauthn.helpers import parse_attestation_object
    from webauthn.helpers.structs import AuthenticatorAttestationResponse, RegistrationCredential

    party = required_party(server.issuer)
    challenge = opened(server, browser, "registration", form.get(CHALLENGE, ""), now, user.user_id)
    sent = parsed(form.get(PASSKEY, ""), _Sent)
    raw_id = credential_id(sent.id, sent.rawId)
    client_data, attestation = octets(sent.response.client_data), octets(sent.response.attestation_object)
    with examined():
        if parse_attestation_object(attestation).fmt not in _FORMATS:
            raise wrong("an attestation, which was not asked for")
        verified = verify_registration_response(
            credential=RegistrationCredential(
                id=sent.id,
                raw_id=raw_id,
                response=AuthenticatorAttestationResponse(client_data_json=client_data, attestation_object=attestation),
            ),
            expected_challenge=challenge.octets,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
            supported_pub_key_algs=_algorithms(),
        )
    refuse_embedded(client_data)
    if verified.credential_id != raw_id:
        raise wrong("a credential id that is not the one which was signed")
    factor = new_factor(user.user_id, "passkey", names.shown(form.get("name", "")), verified.credential_public_key, now)
    details: dict[str, object] = {
        TRANSPORTS: known_transports(sent.response.transports),
        AAGUID: verified.aaguid,
        BACKED_UP: verified.credential_backed_up,
        DEVICE_TYPE: verified.credential_device_type.value,
    }
    return Made(replace(factor, lookup=sent.id, counter=verified.sign_count, details=details), challenge)


def _algorithms() -> list[COSEAlgorithmIdentifier]:
    from webauthn.helpers.cose import COSEAlgorithmIdentifier as Known

    return [Known.ECDSA_SHA_256, Known.EDDSA, Known.RSASSA_PKCS1_v1_5_SHA_256]
