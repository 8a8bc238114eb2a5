"""An ACME client that says just what a test wants it to say, right or wrong."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ostiary.admin.acme_credentials import MadeCredential, create_credential
from ostiary.certificate_authority import identities
from ostiary.protocol import base64url
from ostiary.protocol.jwk import SigningKey
from ostiary.revocation.act import Act
from tests.authorization_server.world import ISSUER, Answer, World
from tests.certificate_authority.authority import new_key

Members = dict[str, Any]
DNS = ("example.com",)
NETWORKS = ("10.0.0.0/8",)


def text(raw: bytes) -> str:
    """base64url."""
    return base64url.encode(raw).decode("ascii")


def url(path: str) -> str:
    """The URL of a path."""
    return ISSUER + path


def path_of(found: str) -> str:
    """The path of a URL of ours."""
    assert found.startswith(ISSUER + "/"), found
    return found.removeprefix(ISSUER)


def credential(world: World, dns: tuple[str, ...] = DNS, networks: tuple[str, ...] = NETWORKS) -> MadeCredential:
    """What the operator hands out."""
    act = Act("cli", world.clock())
    return world.run(create_credential(world.storage, world.server.seals, "ops", dns, networks, act))


def csr(*names: str, key: Any = None, common_name: str = "", ca: bool = False) -> str:
    """A request for a certificate, as it stands in ``finalize``."""
    key = key or new_key()
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    if names:
        general = identities.general_names(map(identities.parse, names))
        builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return text(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER))


@dataclass
class AcmeClient:
    """One account key in a world. ``kid`` is its account's URL once it has one."""

    world: World
    key: SigningKey = field(default_factory=lambda: SigningKey.generate("ES256"))
    kid: str = ""

    def nonce(self) -> str:
        answer = self.world.run(self.world.call("HEAD", "/acme/new-nonce", b"", {}))
        assert answer.status == 200
        return answer.headers["replay-nonce"]

    def jwk(self) -> Members:
        public = self.key.verification_key.public_jwk()
        return {name: value for name, value in public.items() if name not in ("kid", "alg", "use")}

    def header(self, path: str, **changes: Any) -> Members:
        """The protected header of a request; ``changes`` replace members, None leaves one out."""
        named: Members = {"kid": self.kid} if self.kid else {"jwk": self.jwk()}
        members = {"alg": self.key.alg, "nonce": self.nonce(), "url": url(path), **named, **changes}
        return {name: value for name, value in members.items() if value is not None}

    def signed(self, header: Members, payload: Members | str, key: SigningKey | None = None) -> bytes:
        """A flattened JWS."""
        raw = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
        protected, encoded = text(json.dumps(header).encode()), text(raw)
        signature = (key or self.key).sign(f"{protected}.{encoded}".encode())
        return json.dumps({"protected": protected, "payload": encoded, "signature": text(signature)}).encode()

    def send(self, path: str, body: bytes, content_type: str = "application/jose+json") -> Answer:
        return self.world.run(self.world.call("POST", path, body, {"content-type": content_type}))

    def post(
        self, path: str, payload: Members | str = "", /, *, key: SigningKey | None = None, **header: Any
    ) -> Answer:
        """A signed request; ``header`` changes its protected header."""
        return self.send(path, self.signed(self.header(path, **header), payload, key))

    def binding(self, made: MadeCredential, **changes: Any) -> Members:
        """An external account binding; ``changes``: header members, ``jwk`` (the payload) or ``mac_key``."""
        mac_key = changes.pop("mac_key", base64url.decode(made.key.encode()))
        payload = changes.pop("jwk", self.jwk())
        members = {"alg": "HS256", "kid": made.credential.key_id, "url": url("/acme/new-account"), **changes}
        protected = text(json.dumps({name: one for name, one in members.items() if one is not None}).encode())
        encoded = text(json.dumps(payload).encode())
        mac = hmac.digest(mac_key, f"{protected}.{encoded}".encode(), hashlib.sha256)
        return {"protected": protected, "payload": encoded, "signature": text(mac)}

    def register(self, made: MadeCredential | None = None, **members: Any) -> Answer:
        """A new account; afterwards requests are signed by it."""
        bound = {} if made is None else {"externalAccountBinding": self.binding(made)}
        answer = self.post("/acme/new-account", {**bound, **members})
        if answer.status in (200, 201):
            self.kid = answer.headers["location"]
        return answer

    def order(self, *names: str, **members: Any) -> Answer:
        """A new order."""
        wanted = [{"type": _kind(name), "value": name} for name in names]
        return self.post("/acme/new-order", {"identifiers": wanted, **members})

    def challenge(self, order: Answer, kind: str = "http-01", place: int = 0) -> Members:
        """A challenge of an order."""
        answer = self.post(path_of(order.json["authorizations"][place]))
        assert answer.status == 200, answer.body
        return next(one for one in answer.json["challenges"] if one["type"] == kind)

    def key_authorization(self, token: str) -> str:
        return f"{token}.{self.key.verification_key.thumbprint}"

    def other(self) -> AcmeClient:
        """Another client in the same world, without an account."""
        return replace(self, key=SigningKey.generate("ES256"), kid="")


def _kind(name: str) -> str:
    return identities.parse(name).partition(":")[0] if "*" not in name else "dns"
