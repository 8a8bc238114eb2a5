"""Ends a token, a grant, a client or its key, and what hangs on it: state, audit event and log row in one act."""

from ostiary.revocation.act import MAX_TOKEN_LIFE, Act
from ostiary.revocation.client_keys import retire_client_key, revoke_client_key
from ostiary.revocation.clients import revoke_client
from ostiary.revocation.grants import revoke_grant
from ostiary.revocation.tokens import revoke_token

__all__ = [
    "MAX_TOKEN_LIFE",
    "Act",
    "retire_client_key",
    "revoke_client",
    "revoke_client_key",
    "revoke_grant",
    "revoke_token",
]
