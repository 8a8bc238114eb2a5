"""The last step of the demo: a self-contained token is revoked, and the API, which asks nobody, refuses it."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx2

from demo.checks import StepFailed, bearer, call, expect, reason
from demo.credentials import credential_in, proof_of
from demo.parts import Demo

Step = Callable[[Demo], str]

ACKNOWLEDGEMENT = "/revocations/applied"
LONGEST = 10.0


def revoked_at_the_next_request(parts: Demo) -> str:
    """A self-contained token is revoked: the API refuses it without asking anybody"""
    token = parts.ostiary(
        "token", "get", "--client-file", "orders-client.json", "--resource", parts.api
    ).strip()  # fmt: skip
    call(parts.api, token, 200)
    parts.relay.wait_until_quiet(1.5)  # traces of earlier refusals travel in batches
    began = time.monotonic()
    form = {"token": token, **proof_of(credential_in(parts.folder / "orders-client.json"))}
    expect("status of the revocation", httpx2.post(f"{parts.issuer}/revoke", data=form).status_code, 200)
    revoked = time.monotonic()
    refused = _refusal(parts, token)
    took = time.monotonic() - revoked
    asked = parts.relay.since(began)
    expect("what the API asked the server meanwhile", [path for path in asked if path != ACKNOWLEDGEMENT], [])
    return (
        f"{reason(refused, 401)}\n    refused {took * 1000:.1f} ms after the server had said that it is revoked; "
        f"the API asked the server 0 times meanwhile (acknowledgements that it sent: {len(asked)})"
    )


def _refusal(parts: Demo, token: str) -> httpx2.Response:
    """The first answer of the API that is no admission."""
    ends = time.monotonic() + LONGEST
    with httpx2.Client(timeout=30.0) as http:
        while time.monotonic() < ends:
            response = http.get(f"{parts.api}/orders", headers=bearer(token))
            if response.status_code != 200:
                return response
    raise StepFailed(f"the API still admits the token after {LONGEST:.0f} s")


REVOCATION_STEPS: tuple[Step, ...] = (revoked_at_the_next_request,)
