"""An installation with a CA: an offline root, an issuing CA for example.com, 10.0.0.0/8 and the issuer's host."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from ostiary.certificate_authority import founding, identities, issuing
from ostiary.certificate_authority.founding import Root
from ostiary.certificate_authority.issuing import Prepared, Wanted
from ostiary.certificate_authority.life import AuthorityLife
from ostiary.certificate_authority.name_constraints import NameConstraints
from ostiary.certificate_authority.profiles import PROFILES
from ostiary.key_management.file import FileKeyManagement
from ostiary.model.certificate import Certificate
from ostiary.model.certificate_authority import Authority
from ostiary.protocol import algorithms
from ostiary.revocation.act import Act
from tests.authorization_server.world import ISSUER, World

CONSTRAINTS = NameConstraints(dns=("example.com",), networks=("10.0.0.0/8",))
SPIFFE_ID = "spiffe://trust.example.com/orders"


def new_key(alg: str = "ES256") -> Any:
    """A private key for a subject."""
    return algorithms.generate(alg)


def pem_of(key: Any) -> bytes:
    """A private key in PEM, for programs that read files."""
    form = serialization.PrivateFormat.PKCS8
    return bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))


@dataclass
class Ca:
    """The CA of a world. Every method runs the loop to its end."""

    world: World
    root: Root

    @property
    def authorities(self) -> Any:
        return self.world.server.authorities

    def life(self) -> AuthorityLife:
        return AuthorityLife(self.authorities, FileKeyManagement.from_settings(self.world.settings.keys))

    def act(self) -> Act:
        return Act("cli", self.world.clock())

    def add_issuing(self, alg: str = "ES256", constraints: NameConstraints = CONSTRAINTS) -> Authority:
        made: Authority = self.world.run(self.life().add_issuing(self.root, "Example", alg, constraints, self.act()))
        self.world.run(self.authorities.refresh())
        return made

    def wanted(self, profile: str = "server", *names: str, key: Any = None, **changes: Any) -> Wanted:
        public = (key or new_key()).public_key()
        found = names or _NAMES[profile]
        plain = Wanted(PROFILES[profile], tuple(map(identities.parse, found)), public, "ops", "operator")
        return replace(plain, **changes)

    def prepare(self, profile: str = "server", *names: str, **changes: Any) -> Prepared:
        wanted = self.wanted(profile, *names, **changes)
        return self.world.run(issuing.prepare(self.authorities, wanted, self.world.clock()))

    def record(self, prepared: Prepared) -> None:
        self.world.write(lambda work: issuing.record(work, prepared, self.act()))

    def issue(self, profile: str = "server", *names: str, **changes: Any) -> Certificate:
        prepared = self.prepare(profile, *names, **changes)
        self.record(prepared)
        return prepared.record

    def root_pem(self) -> bytes:
        return self.root.certificate.public_bytes(serialization.Encoding.PEM)


_NAMES = {
    "server": ("api.example.com",),
    "client": (identities.of_client(ISSUER, "shop"),),
    "workload": (SPIFFE_ID,),
}


def certificate_authority(world: World, alg: str = "ES256", constraints: NameConstraints = CONSTRAINTS) -> Ca:
    """A CA in ``world``, root and issuing both of ``alg``."""
    root = founding.new_root("Example", algorithms.generate(alg), alg, world.clock())
    made = Ca(world, root)
    made.add_issuing(alg, constraints)
    return made


def loaded(certificate: Certificate) -> x509.Certificate:
    """As the library reads it."""
    return x509.load_der_x509_certificate(certificate.certificate)


def weak_keys() -> list[tuple[str, Any]]:
    """Keys that get no certificate."""
    return [
        ("rsa-2048", rsa.generate_private_key(65537, 2048)),
        ("p-521", ec.generate_private_key(ec.SECP521R1())),
        ("secp256k1", ec.generate_private_key(ec.SECP256K1())),
    ]


Ed25519 = ed25519.Ed25519PrivateKey
