"""The client library: an authentication for httpx2 that gets and renews tokens, or signs each request.

async with httpx2.AsyncClient(auth=ClientAuth.from_file("orders-client.json")) as http:
    await http.get("https://orders.example.com/orders")
"""

from ostiary.client.auth import ClientAuth
from ostiary.client.errors import TokenRequestRefused
from ostiary.client.refusal import ApiRefusal, read_refusal
from ostiary.client.request_auth import ClientRequestAuth
from ostiary.errors import ConfigurationError, OstiaryError, Unavailable, VerificationError

__all__ = [
    "ApiRefusal",
    "ClientAuth",
    "ClientRequestAuth",
    "ConfigurationError",
    "OstiaryError",
    "TokenRequestRefused",
    "Unavailable",
    "VerificationError",
    "read_refusal",
]
