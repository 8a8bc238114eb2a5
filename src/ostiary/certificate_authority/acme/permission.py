"""Which names an account may ask for: those of its credential, or of the settings without one."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ostiary.certificate_authority import identities
from ostiary.certificate_authority.acme.problems import Problem
from ostiary.certificate_authority.refusal import refused
from ostiary.errors import VerificationError
from ostiary.model.acme import AcmeCredential
from ostiary.settings.acme import AcmeSettings

MAX_CONTACTS: Final = 10
_MAX_CONTACT = 320


@dataclass(frozen=True, slots=True)
class Permission:
    """dns: domains, each with the names below it; networks: of addresses. What is not named is not permitted."""

    dns: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()

    def check(self, identity: str) -> None:
        """Raises VerificationError (check "identity")."""
        value = identities.value(identity)
        if identity.startswith("dns:"):
            allowed = any(value == base or value.endswith(f".{base}") for base in self.dns)
        else:
            allowed = any(ipaddress.ip_address(value) in ipaddress.ip_network(one) for one in self.networks)
        if not allowed:
            raise refused(
                "identity",
                "this account may not ask for this name",
                seen=identity,
                expected=", ".join((*self.dns, *self.networks)) or "no name",
                mend="let the operator make a credential for it: ostiary acme eab create --dns DOMAIN",
            )


def permission(credential: AcmeCredential | None, settings: AcmeSettings) -> Permission:
    """What an account with this credential, or with none, may ask for."""
    if credential is None:
        # An account from the time when no binding was required does not outlive that time.
        bound = settings.external_account_required
        return Permission() if bound else Permission(settings.unbound_dns, settings.unbound_networks)
    return Permission(credential.dns, credential.networks)


def check_contacts(contacts: object) -> tuple[str, ...]:
    """The contacts of an account (RFC 8555 section 7.3). Raises Problem."""
    if not isinstance(contacts, list) or len(contacts) > MAX_CONTACTS:
        raise Problem("invalidContact", f"contact must be a list of at most {MAX_CONTACTS}", check="contact")
    return tuple(map(_contact, contacts))


def _contact(contact: object) -> str:
    if not isinstance(contact, str) or not contact.startswith("mailto:"):
        raise Problem("unsupportedContact", "a contact must be a mailto: URL", check="contact", seen=str(contact)[:50])
    address = contact.removeprefix("mailto:")
    # Section 7.3: neither header fields nor several addresses.
    local, _, domain = address.rpartition("@")
    if len(address) > _MAX_CONTACT or not local or not domain or any(character in address for character in "?,% \r\n"):
        raise Problem("invalidContact", "a contact is no single e-mail address", check="contact")
    return contact


def parse_identifiers(wanted: object, permitted: Permission, most: int) -> tuple[str, ...]:
    """The identifiers of a new order, each permitted; RFC 8555 section 7.1.3, RFC 8738. Raises Problem."""
    if not isinstance(wanted, list) or not 0 < len(wanted) <= most:
        raise Problem("malformed", f"identifiers must be a list of 1 to {most}", check="identifiers")
    found: list[str] = []
    bad: list[tuple[object, Problem]] = []
    for one in wanted:
        try:
            found.append(_identifier(one, permitted))
        except Problem as error:
            bad.append((one, error))
    if bad:
        raise _together(bad)
    if len(set(found)) != len(found):
        raise Problem("malformed", "an identifier is repeated", check="identifiers", expected="each once")
    return tuple(found)


def _identifier(one: object, permitted: Permission) -> str:
    if not isinstance(one, dict) or not isinstance(one.get("value"), str):
        raise Problem("malformed", "an identifier has a type and a value", check="identifiers")
    kind, value = one.get("type"), one["value"]
    if kind not in ("dns", "ip"):
        raise Problem(
            "unsupportedIdentifier", "this kind of identifier is not known", check="identifiers", seen=str(kind)[:50]
        )
    try:
        identity = identities.dns(value) if kind == "dns" else identities.ip(value)
        permitted.check(identity)
    except VerificationError as error:
        raise Problem.of(error, "rejectedIdentifier") from None
    return identity


def _together(bad: Sequence[tuple[object, Problem]]) -> Problem:
    """One problem for all; with several, a subproblem each (section 6.7.1)."""
    first = bad[0][1]
    if len(bad) == 1:
        return first
    each = [{**error.document(), "identifier": identifier} for identifier, error in bad]
    for one in each:
        one.pop("status")
    return Problem(
        first.code,
        "several identifiers were refused",
        check=first.check,
        seen=first.seen,
        expected=first.expected,
        subproblems=each,
    )
