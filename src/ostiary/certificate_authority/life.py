"""The life of the authorities: a root with its first CA, the next issuing CA, the end of one."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ostiary.audit import tags
from ostiary.certificate_authority import founding, subject_keys
from ostiary.certificate_authority.authorities import Authorities
from ostiary.certificate_authority.crl import Entry, entries_of, next_number, root_crl
from ostiary.certificate_authority.founding import Root
from ostiary.certificate_authority.name_constraints import NameConstraints
from ostiary.errors import ConfigurationError
from ostiary.key_management.base import GeneratedKey, KeyManagement
from ostiary.model.certificate import RevocationReason
from ostiary.model.certificate_authority import Authority, IssuingKeyStore, RevocationList
from ostiary.protocol import jwk_members
from ostiary.revocation import Act, revoke_certificate
from ostiary.storage.base import UnitOfWork


@dataclass(frozen=True, slots=True)
class AuthorityLife:
    """What founds, replaces and ends authorities, in the installation of ``authorities``."""

    authorities: Authorities
    key_management: KeyManagement

    async def add_issuing(
        self,
        root: Root,
        name: str,
        alg: str,
        constraints: NameConstraints,
        act: Act,
        *,
        key_store: IssuingKeyStore = "file",
        first: bool = False,
    ) -> Authority:
        """A new CA under ``root``, which issues from its commit on; the ones before issue no more and stay good.

        name: the organization. key_store: where its key is made and stays: wrapped in the database, or in the token of
        ``certificate_authority.pkcs11``. first: only if there is no authority yet, so of two at once one is made.
        Raises ConfigurationError: the root or the key cannot be used; nothing was written then. Raises Unavailable.
        """
        founding.check_root(root.certificate, act.now)
        pair = await self._new_key(alg, key_store)
        public = subject_keys.checked(jwk_members.public_key(json.loads(pair.public_jwk)))
        root_id = _id_of(root)
        urls = self.authorities.urls(root_id)
        certificate = founding.new_issuing(root, name, public, constraints, urls, act.now)
        made = _issuing(certificate, founding.authority_id(public), root_id, name, pair, key_store, act)
        async with self.authorities.storage.write() as work:
            await work.positions(changing=True)
            if first and await work.authorities.list():
                raise ConfigurationError("There is a certificate authority already: see `ostiary ca show`.")
            await self._root(work, root, root_id, name, act)
            for other in await work.authorities.list():
                if (other.kind, other.state) == ("issuing", "active"):
                    await work.authorities.replace(replace(other, state="retired"))
                    await work.audit.append(act.event(tags.AUTHORITY_RETIRED, other.authority_id))
            await work.authorities.add(made)
            await work.audit.append(act.event(tags.AUTHORITY_CREATED, made.authority_id, kind="issuing", alg=alg))
            await renew_root_list(work, root, act.now)
        return made

    async def add_root(self, root: Root, name: str, act: Act) -> Authority:
        """Another root, trusted from its commit on by whoever asks what to trust; nothing is issued under it yet.

        name: the organization. Raises ConfigurationError: it is there already, or is no root that is good now.
        """
        founding.check_root(root.certificate, act.now)
        async with self.authorities.storage.write() as work:
            await work.positions(changing=True)
            if any(one.authority_id == _id_of(root) for one in await work.authorities.list()):
                raise ConfigurationError("This root is there already: see `ostiary ca show`.")
            await self._root(work, root, _id_of(root), name, act)
            await renew_root_list(work, root, act.now)
            return await _found(work, _id_of(root))

    async def _new_key(self, alg: str, key_store: IssuingKeyStore) -> GeneratedKey:
        if key_store == "file":
            return await self.key_management.generate(alg, use="ca")
        if self.authorities.token is None:
            raise ConfigurationError(
                "There is no token to make the key in: name its module and label in certificate_authority.pkcs11."
            )
        return await self.authorities.token.generate(alg)

    async def retire(self, authority_id: str, act: Act) -> Authority:
        """It issues no more; what it issued stays good. Raises ConfigurationError."""
        async with self.authorities.storage.write() as work:
            await work.positions(changing=True)
            found = await _found(work, authority_id)
            if found.kind != "issuing":
                raise ConfigurationError(f"{authority_id} is a root: it issues nothing that could be retired.")
            if found.state != "active":
                raise ConfigurationError(f"The authority {authority_id} is {found.state} already.")
            changed = replace(found, state="retired")
            await work.authorities.replace(changed)
            await work.audit.append(act.event(tags.AUTHORITY_RETIRED, authority_id))
        return changed

    async def revoke(
        self, root: Root, authority_id: str, act: Act, reason: RevocationReason = "cACompromise"
    ) -> Authority:
        """End an issuing CA, and with it every certificate that it issued and every token obtained by one of those.

        root: its issuer, whose revocation list says so. Raises ConfigurationError.
        """
        async with self.authorities.storage.write() as work:
            await work.positions(changing=True)
            found = await _found(work, authority_id)
            if (found.kind, found.parent) != ("issuing", _id_of(root)):
                raise ConfigurationError(f"The authority {authority_id} was not issued by this root.")
            if found.state == "revoked":
                raise ConfigurationError(f"The authority {authority_id} is revoked already.")
            changed = replace(found, state="revoked")
            await work.authorities.replace(changed)
            serial = x509.load_der_x509_certificate(found.certificate).serial_number
            await renew_root_list(work, root, act.now, Entry(serial, int(act.now), reason))
            await work.audit.append(act.event(tags.AUTHORITY_REVOKED, authority_id, why=reason))
            for one in await work.certificates.of_authority(authority_id, now=int(act.now)):
                await revoke_certificate(work, one.serial, act, "cACompromise")
        return changed

    async def _root(self, work: UnitOfWork, root: Root, root_id: str, name: str, act: Act) -> None:
        roots = [one for one in await work.authorities.list() if one.kind == "root"]
        if any(one.authority_id == root_id for one in roots):
            return
        certificate = root.certificate
        await work.authorities.add(
            Authority(
                authority_id=root_id,
                kind="root",
                name=name,
                state="active",
                alg=root.alg,
                certificate=certificate.public_bytes(Encoding.DER),
                parent=root_id,
                key_store="offline",
                wrapped_private_key=b"",
                not_before=int(certificate.not_valid_before_utc.timestamp()),
                not_after=int(certificate.not_valid_after_utc.timestamp()),
                created_at=int(act.now),
            )
        )
        await work.audit.append(act.event(tags.AUTHORITY_CREATED, root_id, kind="root", alg=root.alg))


async def renew_root_list(work: UnitOfWork, root: Root, now: float, *more: Entry) -> RevocationList:
    """Sign the next revocation list of ``root``, whatever its last one names and ``more``, and keep it.

    now: seconds since the epoch. Raises ConfigurationError: somebody else did so at the same time.
    """
    last = await work.revocation_lists.get(_id_of(root))
    made = root_crl(root, [*entries_of(last), *more], next_number(last, int(now)), now)
    if not await work.revocation_lists.put(made):
        raise ConfigurationError("Another revocation list of this root was made at the same time: try again.")
    return made


def _id_of(root: Root) -> str:
    return founding.authority_id(subject_keys.checked(root.certificate.public_key()))


def _issuing(
    certificate: x509.Certificate,
    authority_id: str,
    root_id: str,
    name: str,
    pair: GeneratedKey,
    key_store: IssuingKeyStore,
    act: Act,
) -> Authority:
    return Authority(
        authority_id=authority_id,
        kind="issuing",
        name=name,
        state="active",
        alg=pair.alg,
        certificate=certificate.public_bytes(Encoding.DER),
        parent=root_id,
        key_store=key_store,
        wrapped_private_key=pair.wrapped,
        not_before=int(certificate.not_valid_before_utc.timestamp()),
        not_after=int(certificate.not_valid_after_utc.timestamp()),
        created_at=int(act.now),
    )


async def _found(work: UnitOfWork, authority_id: str) -> Authority:
    for one in await work.authorities.list():
        if one.authority_id == authority_id:
            return one
    raise ConfigurationError(f"There is no authority {authority_id}: see `ostiary ca show`.")
