"""Ends a token, grant, session, user, client or key, or all of them: state, audit event and log row at once."""

from ostiary.revocation.act import MAX_TOKEN_LIFE, Act
from ostiary.revocation.certificates import revoke_certificate
from ostiary.revocation.client_keys import retire_client_key, revoke_client_key
from ostiary.revocation.clients import revoke_client
from ostiary.revocation.ended import NOTHING, Ended
from ostiary.revocation.grants import revoke_grant
from ostiary.revocation.installation import EpochEnded, raise_epoch
from ostiary.revocation.sessions import revoke_session
from ostiary.revocation.tokens import revoke_token
from ostiary.revocation.users import end_everything_of, end_sessions_of, revoke_consent, revoke_user

__all__ = [
    "MAX_TOKEN_LIFE",
    "NOTHING",
    "Act",
    "Ended",
    "EpochEnded",
    "end_everything_of",
    "end_sessions_of",
    "raise_epoch",
    "retire_client_key",
    "revoke_certificate",
    "revoke_client",
    "revoke_client_key",
    "revoke_consent",
    "revoke_grant",
    "revoke_session",
    "revoke_token",
    "revoke_user",
]
