"""The steps of the demo that are about certificates: a private CA, mutual TLS, a token that only its owner can use."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable

import httpx2

from demo.checks import StepFailed, bearer, expect, reason
from demo.parts import Demo
from ostiary.protocol import base64url

Step = Callable[[Demo], str]

CLIENT = "ledger-client"
OTHER = "other-client"
API = "ledger-api"

_kept: dict[str, str] = {}


def make_certificates(parts: Demo) -> str:
    """A private CA gives an API and two clients their certificates"""
    parts.ostiary(
        "api", "create", parts.tls_api, "--name", "Ledger", "--scope", "orders:read=see orders",
        "--generate", f"{API}.json",
    )  # fmt: skip
    parts.ostiary("cert", "issue", "--profile", "server", "--dns", "localhost", "--generate", f"{API}.pem")
    for client in (CLIENT, OTHER):
        subject = f"san_uri={parts.issuer}/clients/{client}"
        parts.ostiary(
            "client", "create", client, "--certificate-subject", subject, "--bound-tokens",
            "--grant", f"{parts.tls_api}=orders:read",
        )  # fmt: skip
        parts.ostiary("cert", "issue", "--profile", "client", "--client", client, "--generate", f"{client}.pem")
    rows = json.loads(parts.ostiary("cert", "list", "--format", "json"))
    issued = [row for row in rows if row["proof"] == "operator"]
    expect("certificates in the inventory", len(issued), 3)
    parts.start_tls_api(API)
    return f"{parts.tls_api} serves with one; {', '.join(row['identities'][0] for row in issued[:2])}"


def bound_token(parts: Demo) -> str:
    """Over mutual TLS the client gets a token that is bound to its certificate"""
    with _http(parts, CLIENT) as http:
        aliases = http.get(f"{parts.issuer}/.well-known/oauth-authorization-server").json()["mtls_endpoint_aliases"]
        form = {"grant_type": "client_credentials", "client_id": CLIENT, "resource": parts.tls_api}
        response = http.post(aliases["token_endpoint"], data=form)
    expect("status", response.status_code, 200)
    _kept["token"] = response.json()["access_token"]
    claims = json.loads(base64url.decode(_kept["token"].split(".")[1].encode()))
    return f"cnf {json.dumps(claims['cnf'])}, no secret and no assertion sent"


def bound_admitted(parts: Demo) -> str:
    """The API admits it with that certificate"""
    with _http(parts, CLIENT) as http:
        response = http.get(f"{parts.tls_api}/orders", headers=bearer(_kept["token"]))
    expect("status", response.status_code, 200)
    return f"GET /orders: {response.text}"


def bound_stolen(parts: Demo) -> str:
    """The same token with another certificate, or with none: refused"""
    for thief in (None, OTHER):
        with _http(parts, thief) as http:
            response = http.get(f"{parts.tls_api}/orders", headers=bearer(_kept["token"]))
        told = reason(response, 401)
    return told


def certificate_revoked(parts: Demo) -> str:
    """The certificate is revoked: it gets no token any more"""
    rows = json.loads(parts.ostiary("cert", "list", "--format", "json"))
    serial = next(row["serial"] for row in rows if row["client_id"] == CLIENT)
    parts.ostiary("cert", "revoke", serial, "--reason", "keyCompromise")
    try:
        told = bound_token(parts)
    except StepFailed:
        return "keyCompromise; OCSP and the revocation list say so, too"
    raise StepFailed(f"a token all the same: {told}")


CERTIFICATE_STEPS: tuple[Step, ...] = (
    make_certificates,
    bound_token,
    bound_admitted,
    bound_stolen,
    certificate_revoked,
)


def _http(parts: Demo, client: str | None) -> httpx2.Client:
    """What trusts the private CA alone and shows the certificate of ``client``."""
    context = ssl.create_default_context(cafile=str(parts.folder / ".ostiary" / "root.pem"))
    if client is not None:
        context.load_cert_chain(parts.folder / f"{client}.pem")
    return httpx2.Client(verify=context, timeout=30.0, trust_env=False)
