"""The steps of the demo, in order; each does one thing for real, and raises StepFailed unless it came out right."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import httpx2

from demo.certificate_steps import CERTIFICATE_STEPS
from demo.checks import StepFailed, bearer, call, error_of, expect, reason, trace
from demo.credentials import assertion_of, credential_in
from demo.parts import Demo
from demo.revocation_steps import REVOCATION_STEPS
from demo.user_steps import USER_STEPS
from ostiary.client import ClientAuth, ClientRequestAuth
from ostiary.protocol import base64url, client_assertion, jws
from ostiary.protocol.jwk import SigningKey

Step = Callable[[Demo], str]

_kept: dict[str, str] = {}


def start_server(parts: Demo) -> str:
    """The server is ready"""
    began = time.monotonic()
    parts.start_server()
    return f"{parts.issuer}, {time.monotonic() - began:.2f} s after its start"


def register_apis(parts: Demo) -> str:
    """Two APIs are registered, one for each kind of token, with keys of their own"""
    for name, identifier, kind in (
        ("orders-api", parts.api, "self-contained"),
        ("stock-api", parts.reference_api, "reference"),
    ):
        scopes = ["--scope", "orders:read=see orders", "--scope", "orders:write=change orders"]
        parts.ostiary(
            "api", "create", identifier, "--name", name, *scopes, "--tokens", kind, "--generate", f"{name}.json"
        )
    return f"{parts.api} takes self-contained tokens, {parts.reference_api} takes reference tokens"


def register_client(parts: Demo) -> str:
    """A client is registered; its private key stays in its own file"""
    parts.ostiary(
        "client", "create", "orders-client", "--name", "Orders client", "--generate", "orders-client.json",
        "--grant", f"{parts.api}=orders:read", "--grant", f"{parts.reference_api}=orders:read",
    )  # fmt: skip
    mode = oct((parts.folder / "orders-client.json").stat().st_mode & 0o777)
    expect("mode of the key file", mode, "0o600")
    return "orders-client.json, mode 0600"


def start_apis(parts: Demo) -> str:
    """The sample APIs are ready"""
    parts.start_api("orders-api", parts.api_port, parts.api)
    parts.start_api("stock-api", parts.reference_api_port, parts.reference_api)
    return "samples/fastapi_orders, protected by the guard"


def get_token(parts: Demo) -> str:
    """The client proves itself by its key (private_key_jwt) and gets a token"""
    _kept["token"] = _token(parts, parts.api)
    return f"a self-contained token of {len(_kept['token'])} characters"


def admitted(parts: Demo) -> str:
    """The API admits it"""
    return f"GET /orders: {call(parts.api, _kept['token'], 200).text}"


def client_library(parts: Demo) -> str:
    """The client library does the same in one line"""
    auth = ClientAuth.from_file(parts.folder / "orders-client.json", resource=parts.api)
    with httpx2.Client(auth=auth) as http:
        expect("status", http.get(f"{parts.api}/orders").status_code, 200)
    return 'httpx2.Client(auth=ClientAuth.from_file("orders-client.json", ...))'


def refused_without_token(parts: Demo) -> str:
    """Without a token: refused"""
    return reason(httpx2.get(f"{parts.api}/orders"), 401)


def refused_altered(parts: Demo) -> str:
    """With an altered token, its scope widened: refused"""
    head, payload, signature = _kept["token"].split(".")
    claims = json.loads(base64url.decode(payload.encode()))
    widened = base64url.encode(json.dumps({**claims, "scope": "orders:write"}).encode()).decode()
    response = call(parts.api, f"{head}.{widened}.{signature}", 401)
    _kept["trace"] = trace(response)
    return reason(response, 401)


def refused_scope(parts: Demo) -> str:
    """With too little scope: refused"""
    response = httpx2.post(f"{parts.api}/orders", headers=bearer(_kept["token"]), json={"item": "lamp"})
    return reason(response, 403)


def refused_foreign_key(parts: Demo) -> str:
    """With a foreign key: no token"""
    credential = credential_in(parts.folder / "orders-client.json")
    foreign = SigningKey.generate("ES256", kid=credential.key.kid)
    return error_of(_request(parts, assertion_of(credential, foreign)))


def refused_replay(parts: Demo) -> str:
    """With an assertion used before: no token"""
    credential = credential_in(parts.folder / "orders-client.json")
    assertion = assertion_of(credential, credential.key)
    first = _request(parts, assertion)
    expect("status of the first use", first.status_code, 200)
    return error_of(_request(parts, assertion))


def reference_token(parts: Demo) -> str:
    """A reference token, which means nothing by itself, is admitted by its API"""
    _kept["reference"] = _token(parts, parts.reference_api)
    call(parts.reference_api, _kept["reference"], 200)
    return f"{_kept['reference'][:14]}...; only its hash is stored"


def rotate(parts: Demo) -> str:
    """The signing key is rotated on the running server; the token of before stays good"""
    before = _kid(_kept["token"])
    outcome = parts.ostiary("keys", "rotate", "--format", "json")
    deadline = time.monotonic() + 15
    while _kid(fresh := _token(parts, parts.api)) == before:
        if time.monotonic() > deadline:
            raise StepFailed(f"the key did not change: {outcome}")
        time.sleep(0.5)
    call(parts.api, _kept["token"], 200)
    call(parts.api, fresh, 200)
    return f"kid {before[:8]}... -> {_kid(fresh)[:8]}..., tokens of both are admitted"


def revoke(parts: Demo) -> str:
    """A token is revoked; introspection says so at once, for both kinds"""
    for name, token in (("orders-api", _kept["token"]), ("stock-api", _kept["reference"])):
        expect("active before", parts.is_active(name, token), True)
        parts.ostiary("token", "revoke", "--client-file", "orders-client.json", given=token)
        expect("active after", parts.is_active(name, token), False)
    return '{"active": false}'


def direct(parts: Demo) -> str:
    """The client calls the API with a JWT of its own, without a token"""
    auth = ClientRequestAuth.from_file(parts.folder / "orders-client.json", audience=parts.api)
    with httpx2.Client(auth=auth) as http:
        response = http.get(f"{parts.api}/orders")
    expect("status", response.status_code, 200)
    return f"GET /orders: {response.text}"


def explain(parts: Demo) -> str:
    """A refusal of the API is explained to the operator by its trace id"""
    deadline = time.monotonic() + 15
    while True:  # the API sends its traces in batches
        try:
            told = parts.ostiary("explain", _kept["trace"])
            break
        except StepFailed:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
    return "\n    ".join(line.rstrip() for line in told.strip().splitlines())


def verify_audit(parts: Demo) -> str:
    """The audit log is complete and unaltered"""
    time.sleep(1.2)  # rows are sealed within a second
    return parts.ostiary("audit", "verify").strip().splitlines()[0]


STEPS: tuple[Step, ...] = (
    start_server,
    register_apis,
    register_client,
    start_apis,
    get_token,
    admitted,
    client_library,
    refused_without_token,
    refused_altered,
    refused_scope,
    refused_foreign_key,
    refused_replay,
    reference_token,
    rotate,
    revoke,
    direct,
    *CERTIFICATE_STEPS,
    *USER_STEPS,
    explain,
    verify_audit,
    *REVOCATION_STEPS,
)


def _token(parts: Demo, resource: str) -> str:
    return parts.ostiary("token", "get", "--client-file", "orders-client.json", "--resource", resource).strip()


def _request(parts: Demo, assertion: str) -> httpx2.Response:
    form = {
        "grant_type": "client_credentials",
        "resource": parts.api,
        "client_assertion_type": client_assertion.ASSERTION_TYPE,
        "client_assertion": assertion,
    }
    return httpx2.post(f"{parts.issuer}/token", data=form)


def _kid(token: str) -> str:
    return str(jws.parse(token).header.kid)
