"""Clients that others wrote, unmodified, over TLS: each gets a token that foreign judges verify against the JWKS."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import joserfc.jwk
import joserfc.jwt
import jwt as pyjwt
import pytest
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ostiary.protocol.client_assertion import ASSERTION_TYPE
from tests.real.own_certificate import certified
from tests.real.served import CLIENT_ID, ORDERS, Served, wait_until_answered
from tests.real_parts.ports import free_port
from tests.real_parts.processes import Process

pytestmark = pytest.mark.real
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    own = certified(folder)
    installed = Served(folder, certificate=own.files, trust=own.trust())
    with installed.run():
        yield installed


@pytest.fixture(scope="module")
def sample(served: Served) -> Iterator[str]:
    """The address of the sample FastAPI application, which trusts the issuer through the test's own authority."""
    port = free_port()
    environment = {
        "OSTIARY_ISSUER": served.issuer,
        "OSTIARY_AUDIENCE": ORDERS,
        "OSTIARY_REVOCATION": "until_expiry",
        "SSL_CERT_FILE": str(served.folder / "ca.pem"),
    }
    command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port)]
    with Process(command, cwd=HERE.parents[1] / "samples" / "fastapi_orders", environment=environment) as process:
        wait_until_answered(process, f"http://localhost:{port}/healthz")
        yield f"http://localhost:{port}/orders"


def admitted(sample: str, token: str) -> bool:
    """Whether the sample API lets the token in, and an altered one not."""
    altered = token[:-8] + ("A" * 8 if token[-8:] != "A" * 8 else "B" * 8)
    refused = httpx2.get(sample, headers={"authorization": f"Bearer {altered}"})
    answer = httpx2.get(sample, headers={"authorization": f"Bearer {token}"})
    return (refused.status_code, answer.status_code, answer.json().get("client")) == (401, 200, CLIENT_ID)


def judge(served: Served, token: str) -> dict[str, object]:
    """The claims of ``token``, as joserfc and PyJWT verify them against the served JWKS; both agree."""
    with served.http() as http:
        keys = http.get("/jwks").json()
    by_joserfc = joserfc.jwt.decode(token, joserfc.jwk.KeySet.import_key_set(keys), algorithms=["ES256"]).claims
    key = pyjwt.PyJWKSet.from_dict(keys)[pyjwt.get_unverified_header(token)["kid"]]
    by_pyjwt = pyjwt.decode(token, key, algorithms=["ES256"], audience=ORDERS, issuer=served.issuer)
    assert by_joserfc == by_pyjwt
    return dict(by_pyjwt)


def test_openid_client_gets_a_token_and_an_api_introspects_it(
    served: Served, sample: str, node_program: Path, foreign_clients: Path
) -> None:
    arguments = (served.issuer, served.client_file, served.api_file, ORDERS)
    command = [str(part) for part in (node_program, HERE / "openid_client.mjs", foreign_clients, *arguments)]
    environment = {"NODE_EXTRA_CA_CERTS": str(served.folder / "ca.pem"), "PATH": "/usr/bin:/bin"}
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert finished.returncode == 0, finished.stderr
    answer = json.loads(finished.stdout)
    assert judge(served, answer["access_token"])["client_id"] == CLIENT_ID
    assert admitted(sample, answer["access_token"])
    assert answer["told"]["active"] is True
    assert answer["told"]["scope"] == "orders:read"


def test_authlib_gets_a_token(served: Served, sample: str) -> None:
    # Left alone, Authlib's assertions live for an hour and name the token endpoint; RFC 10070 wants the issuer.
    method = PrivateKeyJWT(
        served.issuer, claims={"exp": int(time.time()) + 60}, headers={"kid": served.client_key.kid}, alg="ES256"
    )
    key = joserfc.jwk.ECKey.import_key(dict(served.client_key.private_jwk()))
    session = OAuth2Session(CLIENT_ID, key, token_endpoint_auth_method="private_key_jwt")
    session.register_client_auth_method(method)
    trust = str(served.folder / "ca.pem")
    token = session.fetch_token(f"{served.url}/token", grant_type="client_credentials", resource=ORDERS, verify=trust)
    assert judge(served, token["access_token"])["sub"] == CLIENT_ID
    assert admitted(sample, token["access_token"])


@pytest.mark.parametrize("alg", ["ES256", "RS256"])
def test_curl_gets_a_token_by_an_assertion_that_openssl_made(
    served: Served, sample: str, curl: str, openssl: str, alg: str
) -> None:
    pem, kid = _private_pem(served, alg)
    made = subprocess.run(
        [HERE / "assertion.sh", alg, pem, kid, CLIENT_ID, served.issuer],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert made.returncode == 0, f"{openssl}: {made.stderr}"
    (served.folder / "form").write_text(
        f"grant_type=client_credentials&resource={ORDERS}&client_assertion_type={ASSERTION_TYPE}"
        f"&client_assertion={made.stdout.strip()}"
    )
    asked = ["--cacert", f"{served.folder}/ca.pem", "--data", f"@{served.folder}/form", f"{served.issuer}/token"]
    told = subprocess.run([curl, "--silent", *asked], capture_output=True, text=True, timeout=60, check=False)
    answer = json.loads(told.stdout)
    assert judge(served, answer["access_token"])["scope"] == "orders:read"
    assert admitted(sample, answer["access_token"])


def test_tls_1_1_is_not_spoken(served: Served) -> None:
    """standards 120"""
    old = ssl.create_default_context(cafile=served.folder / "ca.pem")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with httpx2.Client(verify=old, trust_env=False) as http, pytest.raises(httpx2.ConnectError):
        http.get(f"{served.url}/jwks")


def _private_pem(served: Served, alg: str) -> tuple[Path, str]:
    path = served.folder / f"{alg}.pem"
    if alg == "ES256":
        der = served.client_key.to_pkcs8()
        private = serialization.load_der_private_key(der, None)
    else:
        private = rsa.generate_private_key(65537, 2048)
        numbers = joserfc.jwk.RSAKey.import_key(private.public_key()).as_dict(private=False)
        document = {**numbers, "kid": "rsa-key", "alg": "RS256", "use": "sig"}
        (served.folder / "rsa.jwk").write_text(json.dumps(document))
        served.ostiary("client", "keys", "add", CLIENT_ID, "--key", "rsa.jwk")
    path.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path, served.client_key.kid if alg == "ES256" else "rsa-key"
