"""http-01 (RFC 8555 section 8.3, RFC 8738 section 4): the key authorization stands below a well-known URL.

No redirect is followed, as it would name a place that nobody allowed.
"""

from __future__ import annotations

import hmac
import ipaddress

import httpcore2

from ostiary.certificate_authority import identities
from ostiary.certificate_authority.acme.validation.failure import ChallengeFailed
from ostiary.certificate_authority.acme.validation.reach import Reach
from ostiary.fetching.pinned import PinnedBackend

MAX_BYTES = 4096
_PATH = "/.well-known/acme-challenge/"


async def validate(reach: Reach, identifier: str, token: str, key_authorization: str) -> None:
    """Raises ChallengeFailed."""
    addresses = await reach.addresses(identifier)
    host = identities.value(identifier)
    url = httpcore2.URL(scheme="http", host=host, port=reach.http_port, target=_PATH + token)
    headers = [
        ("Host", authority(identifier, reach.http_port)),
        ("Accept", "*/*"),
        ("Accept-Encoding", "identity"),
        ("User-Agent", "ostiary-acme"),
        ("Connection", "close"),
    ]
    try:
        async with (
            httpcore2.AsyncConnectionPool(network_backend=PinnedBackend(addresses)) as pool,
            pool.stream("GET", url, headers=headers) as response,
        ):
            if response.status != 200:
                raise ChallengeFailed("unauthorized", f"{host} answered {response.status}, expected 200 at {_PATH}")
            body = await _body(response, host)
    except (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError, OSError) as error:
        raise ChallengeFailed(
            "connection", f"{host}:{reach.http_port} gave no answer: {type(error).__name__}"
        ) from None
    # White space at the end of the body is ignored (section 8.3).
    if not hmac.compare_digest(body.rstrip(), key_authorization.encode("ascii")):
        raise ChallengeFailed("unauthorized", f"{host} has something else than the key authorization at {_PATH}")


def authority(identifier: str, port: int) -> str:
    """The value of Host: the identifier, and the port where it is not 80."""
    host = identities.value(identifier)
    if identifier.startswith("ip:") and ipaddress.ip_address(host).version == 6:
        host = f"[{host}]"
    return host if port == 80 else f"{host}:{port}"


async def _body(response: httpcore2.Response, host: str) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise ChallengeFailed("unauthorized", f"{host} answered more than {MAX_BYTES} octets", again=False)
    return bytes(body)
