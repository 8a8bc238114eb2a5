"""Authorization servers and APIs that lie: attack 19, attack 21, standards 98."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx2
import pytest
from joserfc import jws
from joserfc.jwk import ECKey, KeySet

from ostiary.client import ClientAuth, ConfigurationError, TokenRequestRefused, VerificationError
from ostiary.client.exchange import MAX_BYTES
from ostiary.errors import Unavailable
from ostiary.protocol.jwk import SigningKey
from tests.client.conftest import CLIENT_ID
from tests.client.http_server import Reply, Server
from tests.client.oracle import METADATA_PATH, AuthorizationServer, reply_json

Make = Callable[..., ClientAuth]
RESOURCE_METADATA = "/.well-known/oauth-protected-resource"


def call(auth: ClientAuth, api: Server) -> httpx2.Response:
    with httpx2.Client(auth=auth) as http:
        return http.get(f"{api.url}/orders")


@pytest.mark.parametrize("issuer", ["https://honest.example.com", "{issuer}/", "{upper}", None])
def test_metadata_of_another_issuer_is_refused(
    issuer: str | None, auth: Make, api: Server, authorization_server: AuthorizationServer
) -> None:
    """standards 98, attack 21: the issuer must be identical, and nothing is sent to what such metadata names."""
    honest = authorization_server.issuer
    claimed = issuer and issuer.format(issuer=honest, upper=honest.replace("http", "HTTP"))
    authorization_server.metadata["issuer"] = claimed
    with pytest.raises(VerificationError) as caught:
        call(auth(), api)
    assert caught.value.check == "issuer"
    assert authorization_server.token_requests == 0


def test_assertion_made_for_a_malicious_server_is_good_there_alone(
    api: Server, key: SigningKey, clock: Callable[[], float]
) -> None:
    """attack 19: metadata that names a victim's endpoint gets an assertion for the malicious issuer alone."""
    with Server() as victim, Server() as malicious:
        victim.routes["/token"] = lambda _: reply_json({"error": "invalid_client"}, 401)
        metadata = {"issuer": malicious.url, "token_endpoint": f"{victim.url}/token"}
        malicious.routes[METADATA_PATH] = lambda _: reply_json(metadata)
        own = ClientAuth(issuer=malicious.url, client_id=CLIENT_ID, key=key, resource=api.url, clock=clock)
        with pytest.raises(TokenRequestRefused):
            call(own, api)
        assertion = victim.of("/token")[0].form()["client_assertion"][0]
    keys = KeySet([ECKey.import_key(dict(key.verification_key.public_jwk()))])
    claims = json.loads(jws.deserialize_compact(assertion, keys, algorithms=["ES256"]).payload or b"")
    assert claims["aud"] == malicious.url


def test_token_endpoint_that_redirects_is_refused(
    auth: Make, api: Server, authorization_server: AuthorizationServer
) -> None:
    with Server() as elsewhere:
        authorization_server.answer = lambda: Reply(307, b"", {"Location": f"{elsewhere.url}/token"})
        with pytest.raises(VerificationError) as caught:
            call(auth(), api)
        assert caught.value.check == "redirect"
        assert elsewhere.received == []


def test_metadata_that_redirects_is_refused(auth: Make, api: Server, authorization_server: AuthorizationServer) -> None:
    with Server() as elsewhere:
        authorization_server.server.routes[METADATA_PATH] = lambda _: Reply(302, b"", {"Location": elsewhere.url})
        with pytest.raises(VerificationError) as caught:
            call(auth(), api)
        assert caught.value.check == "redirect"
        assert elsewhere.received == []


@pytest.mark.parametrize("endpoint", ["http://auth.example.com/token", "ftp://127.0.0.1/token", "token"])
def test_token_endpoint_without_tls_is_refused(
    endpoint: str, auth: Make, api: Server, authorization_server: AuthorizationServer
) -> None:
    """standards 120"""
    authorization_server.metadata["token_endpoint"] = endpoint
    with pytest.raises(VerificationError) as caught:
        call(auth(), api)
    assert caught.value.check == "transport"


def test_answer_that_is_too_long_is_refused(auth: Make, api: Server, authorization_server: AuthorizationServer) -> None:
    authorization_server.answer = lambda: Reply(200, b" " * (MAX_BYTES + 1))
    with pytest.raises(Unavailable, match="octets"):
        call(auth(), api)


GOOD = {"access_token": "token", "token_type": "Bearer", "expires_in": 60}


@pytest.mark.parametrize(
    "wrong",
    [
        {"token_type": "DPoP"},
        {"token_type": None},
        {"access_token": ""},
        {"access_token": None},
        {"access_token": "to ken"},
        {"access_token": "token\r\nX-Injected: 1"},
        {"access_token": "t" * 16_385},
        {"expires_in": 0},
        {"expires_in": -1},
        {"expires_in": True},
        {"expires_in": "60"},
        {"expires_in": None},
    ],
    ids=str,
)
def test_token_answer_with_one_wrong_member_is_refused(
    wrong: dict[str, object], auth: Make, api: Server, authorization_server: AuthorizationServer
) -> None:
    authorization_server.answer = lambda: reply_json(GOOD | wrong)
    with pytest.raises(VerificationError) as caught:
        call(auth(), api)
    assert caught.value.check == "answer"
    assert api.received == []


def test_token_answer_without_a_fault_is_taken(
    auth: Make, api: Server, authorization_server: AuthorizationServer
) -> None:
    authorization_server.answer = lambda: reply_json(GOOD | {"token_type": "bEARER"})
    assert call(auth(), api).text == "Bearer token"


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"<html>", b'{"a":1,"a":2}', b"\xff\xfe", b"{" * 5000],
    ids=lambda body: repr(body[:9]),
)
@pytest.mark.parametrize("status", [200, 400, 401, 404])
def test_any_answer_but_the_promised_one_is_a_refusal(
    status: int, body: bytes, auth: Make, api: Server, authorization_server: AuthorizationServer
) -> None:
    authorization_server.answer = lambda: Reply(status, body)
    with pytest.raises(VerificationError):
        call(auth(), api)


def test_compressed_answer_is_refused(auth: Make, api: Server, authorization_server: AuthorizationServer) -> None:
    authorization_server.answer = lambda: Reply(200, json.dumps(GOOD).encode(), {"Content-Encoding": "gzip"})
    with pytest.raises(VerificationError, match="unusable answer"):
        call(auth(), api)


def test_refusal_shows_no_control_characters(
    auth: Make, api: Server, authorization_server: AuthorizationServer
) -> None:
    refusal = {"error": "invalid_client", "error_description": "\x1b[2Jgone", "trace": "tr\x1b[0m"}
    authorization_server.answer = lambda: reply_json(refusal, 401)
    with pytest.raises(TokenRequestRefused) as caught:
        call(auth(), api)
    assert str(caught.value).isprintable()
    assert caught.value.trace is None


def test_server_that_takes_no_signed_assertion_is_not_asked(
    auth: Make, api: Server, authorization_server: AuthorizationServer
) -> None:
    authorization_server.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_basic"]
    with pytest.raises(ConfigurationError, match="private_key_jwt"):
        call(auth(), api)
    assert authorization_server.token_requests == 0


def test_server_that_does_not_take_the_keys_algorithm_is_not_asked(
    auth: Make, api: Server, authorization_server: AuthorizationServer
) -> None:
    authorization_server.metadata["token_endpoint_auth_signing_alg_values_supported"] = ["PS256"]
    with pytest.raises(ConfigurationError, match="PS256"):
        call(auth(), api)
    assert authorization_server.token_requests == 0


def test_issuer_without_metadata_is_named(auth: Make, api: Server, authorization_server: AuthorizationServer) -> None:
    del authorization_server.server.routes[METADATA_PATH]
    with pytest.raises(ConfigurationError, match="check the issuer"):
        call(auth(), api)


def test_metadata_is_found_at_the_openid_place_too(
    auth: Make, api: Server, authorization_server: AuthorizationServer
) -> None:
    routes = authorization_server.server.routes
    routes["/.well-known/openid-configuration"] = routes.pop(METADATA_PATH)
    assert call(auth(), api).status_code == 200


def test_api_cannot_name_another_api_as_itself(
    auth: Make, api: Server, authorization_server: AuthorizationServer
) -> None:
    """attack 21: a malicious API would get a token that is good at the honest one."""
    api.routes[RESOURCE_METADATA] = lambda _: reply_json({"resource": "https://honest.example.com"})
    with pytest.raises(VerificationError) as caught:
        call(auth(resource=None), api)
    assert caught.value.check == "resource"
    assert authorization_server.token_requests == 0


def test_api_cannot_choose_the_authorization_server(
    auth: Make, api: Server, authorization_server: AuthorizationServer
) -> None:
    """attack 21: credentials go to the configured issuer alone."""
    with Server() as malicious:
        metadata = {"resource": api.url, "authorization_servers": [malicious.url]}
        api.routes[RESOURCE_METADATA] = lambda _: reply_json(metadata)
        with pytest.raises(ConfigurationError, match="does not take tokens"):
            call(auth(resource=None), api)
        assert malicious.received == []
    assert authorization_server.token_requests == 0


def test_api_that_says_nothing_of_itself_must_be_named(auth: Make, api: Server) -> None:
    with pytest.raises(ConfigurationError, match="resource="):
        call(auth(resource=None), api)


def test_api_metadata_that_is_no_metadata_is_refused(auth: Make, api: Server) -> None:
    api.routes[RESOURCE_METADATA] = lambda _: reply_json({"resource": 7})
    with pytest.raises(VerificationError) as caught:
        call(auth(resource=None), api)
    assert caught.value.check == "answer"
