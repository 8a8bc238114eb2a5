"""The grant types of the token endpoint: a grant is one file and one line here."""

from ostiary.authorization_server.grants import authorization_code, client_credentials, refresh_token
from ostiary.authorization_server.grants.base import Approval, Burnt, GrantType

GRANTS: tuple[GrantType, ...] = (
    client_credentials.GRANT,
    authorization_code.GRANT,
    refresh_token.GRANT,
)

__all__ = ["GRANTS", "Approval", "Burnt", "GrantType"]
