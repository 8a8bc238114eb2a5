"""The client library: an authentication for httpx2 that gets and renews tokens, or signs each request.

async with httpx2.AsyncClient(auth=ClientAuth.from_file("orders-client.json")) as http:
    await http.get("https://orders.example.com/orders")

An application signs its users in by ``Application``, and calls APIs on their behalf by ``UserAuth``.
"""

from ostiary.client.application import Application
from ostiary.client.auth import ClientAuth
from ostiary.client.authorization_request import AuthorizationRequest, PendingAuthorization
from ostiary.client.client_certificate import ClientCertificate
from ostiary.client.errors import AuthorizationRefused, SignInRequired, StepUpRequired, TokenRequestRefused
from ostiary.client.refusal import ApiRefusal, read_refusal
from ostiary.client.request_auth import ClientRequestAuth
from ostiary.client.user_auth import UserAuth
from ostiary.client.user_token_file import UserTokenFile
from ostiary.client.user_tokens import UserTokens, UserTokenStore
from ostiary.errors import ConfigurationError, OstiaryError, Unavailable, VerificationError

__all__ = [
    "ApiRefusal",
    "Application",
    "AuthorizationRefused",
    "AuthorizationRequest",
    "ClientAuth",
    "ClientCertificate",
    "ClientRequestAuth",
    "ConfigurationError",
    "OstiaryError",
    "PendingAuthorization",
    "SignInRequired",
    "StepUpRequired",
    "TokenRequestRefused",
    "Unavailable",
    "UserAuth",
    "UserTokenFile",
    "UserTokenStore",
    "UserTokens",
    "VerificationError",
    "read_refusal",
]
