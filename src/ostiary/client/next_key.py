"""A client registers its next key with its present one (protocol.next_key)."""

from __future__ import annotations

import time

from ostiary.client import answers
from ostiary.client.assertion import ClientProof, Clock, NewJti, new_jti
from ostiary.client.authorization_server import AuthorizationServerCalls
from ostiary.client.discovery import endpoint
from ostiary.client.exchange import Exchange, Question
from ostiary.protocol import jws, next_key
from ostiary.protocol.credential import Credential
from ostiary.protocol.jwk import SigningKey


def register_next_key(
    credential: Credential, new_key: SigningKey, *, clock: Clock = time.time, jti: NewJti = new_jti
) -> Exchange[None]:
    """Register ``new_key`` for ``credential``'s client; drive it with ``Shell().run``.

    Only the public half leaves this machine. The new key inherits the end of the present one and falls with it.
    Raises TokenRequestRefused, Unavailable, VerificationError, ConfigurationError.
    """
    proof = ClientProof(credential, clock=clock, jti=jti)
    metadata = yield from AuthorizationServerCalls(proof).metadata()
    url = endpoint(metadata, "ostiary_next_key_endpoint")
    payload = next_key.build(credential.client_id, credential.issuer, new_key, now=clock(), jti=jti())
    form = {"next_key": jws.sign(payload, credential.key, typ=next_key.TYP)} | proof.parameters()
    question = Question(url, "next key endpoint", form)
    answers.require_success(question, (yield question))
