"""The grant types of the token endpoint: a grant is one file and one line here."""

from ostiary.authorization_server.grants import client_credentials
from ostiary.authorization_server.grants.base import Approval, GrantType

GRANTS: tuple[GrantType, ...] = (client_credentials.GRANT,)

__all__ = ["GRANTS", "Approval", "GrantType"]
