"""What a client can ask its authorization server for itself: tokens, introspection, revocation."""

from __future__ import annotations

from ostiary.client import answers
from ostiary.client.client_authentication import OwnProof
from ostiary.client.discovery import endpoint
from ostiary.client.exchange import Exchange, Question
from ostiary.client.known_issuer import KnownIssuer
from ostiary.client.token_request import AccessToken, request_token
from ostiary.protocol.metadata import AuthorizationServerMetadata


class AuthorizationServerCalls:
    """What ``proof``'s client, or API, asks its own issuer; each method is an exchange without I/O.

    Every exchange raises TokenRequestRefused, Unavailable, VerificationError or ConfigurationError.
    """

    def __init__(self, proof: OwnProof) -> None:
        self.proof = proof
        self._known = KnownIssuer(proof.issuer, proof.now)

    def metadata(self) -> Exchange[AuthorizationServerMetadata]:
        """The issuer's metadata, at most an hour old."""
        return (yield from self._known.metadata())

    def token(self, *, resource: str | None, scope: str | None) -> Exchange[AccessToken]:
        """A new access token."""
        metadata = yield from self.metadata()
        return (yield from request_token(self.proof, metadata, resource=resource, scope=scope))

    def introspect(self, token: str) -> Exchange[dict[str, object]]:
        """What the server knows of ``token`` (RFC 7662 section 2)."""
        metadata = yield from self.metadata()
        url = endpoint(metadata, "introspection_endpoint", mutual_tls=self.proof.mutual_tls)
        question = self._question(url, "introspection endpoint", token)
        members = answers.read_object(question, (yield question))
        if not isinstance(members.get("active"), bool):
            raise answers.unusable(question, '"active" missing', "true or false (RFC 7662 section 2.2)")
        return members

    def revoke(self, token: str) -> Exchange[None]:
        """End ``token`` (RFC 7009 section 2); a token that is unknown or not this client's gives no error."""
        metadata = yield from self.metadata()
        url = endpoint(metadata, "revocation_endpoint", mutual_tls=self.proof.mutual_tls)
        question = self._question(url, "revocation endpoint", token)
        answers.require_success(question, (yield question))

    def _question(self, url: str, purpose: str, token: str) -> Question:
        return Question(url, purpose, {"token": token} | self.proof.parameters())
