"""A request that carries an access token: RFC 6750 section 2.1, and what may become of it."""

from __future__ import annotations

import httpx2

from ostiary.client.one_request_headers import OneRequestHeaders
from ostiary.client.origins import origin_of
from ostiary.client.token_request import AccessToken


def with_token(request: httpx2.Request, token: AccessToken) -> httpx2.Request:
    """``request`` with ``token``, which no redirect takes along to another origin."""
    value = f"Bearer {token.value}"
    if request.url.scheme == "http" and request.url.port in (None, 80):
        # httpx2 takes Authorization along from http://host to https://host, which is another origin (RFC 6454 4);
        # on every other redirect to another origin it takes it out.
        request.headers = OneRequestHeaders(request.headers, "Authorization", value)
    else:
        request.headers["Authorization"] = value
    return request


def refused_here(response: httpx2.Response, request: httpx2.Request) -> bool:
    """Whether the API itself has answered 401."""
    # A 401 from where a redirect led says nothing about the token, which was not sent there.
    return response.status_code == 401 and origin_of(str(response.url)) == origin_of(str(request.url))


def can_be_sent_again(request: httpx2.Request) -> bool:
    """Whether the body of ``request`` is still there."""
    # A body that is streamed is gone once sent; one that was given whole is still there.
    try:
        return request.content is not None
    except httpx2.RequestNotRead:
        return False
