"""What the steps of the demo ask and expect."""

from __future__ import annotations

import httpx2


class StepFailed(Exception):
    """A step did not do what it claims."""


def expect(what: str, seen: object, expected: object) -> None:
    """Raises StepFailed unless ``seen`` is what was expected."""
    if seen != expected:
        raise StepFailed(f"{what}: {seen!r} instead of {expected!r}")


def bearer(token: str) -> dict[str, str]:
    """The header that presents ``token``: RFC 6750 section 2.1."""
    return {"Authorization": f"Bearer {token}"}


def call(api: str, token: str, status: int, *, method: str = "GET") -> httpx2.Response:
    """Ask the sample API for its orders. Raises StepFailed unless it answers with ``status``."""
    response = httpx2.request(method, f"{api}/orders", headers=bearer(token), timeout=30.0)
    expect("status", response.status_code, status)
    return response


def reason(response: httpx2.Response, status: int) -> str:
    """Why an API refused: its challenge."""
    expect("status", response.status_code, status)
    return f"{status} {response.headers['www-authenticate']}"


def trace(response: httpx2.Response) -> str:
    """The id by which an operator can have a refusal explained."""
    return str(response.json()["trace"])


def error_of(response: httpx2.Response) -> str:
    """Why the server refused to give a token: RFC 6749 section 5.2. Raises StepFailed unless it refused."""
    expect("refused", response.status_code in (400, 401), True)
    body = response.json()
    return f"{response.status_code} {body['error']}: {body['error_description']}"
