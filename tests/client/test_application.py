"""Application against a provider of the tests' own: the request, the way back, the redemption, and each check alone."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from django.utils.datastructures import MultiValueDict
from joserfc import jws
from joserfc.jwk import ECKey, KeySet, OctKey
from starlette.datastructures import QueryParams
from werkzeug.datastructures import MultiDict

from ostiary.client import (
    Application,
    AuthorizationRefused,
    ConfigurationError,
    PendingAuthorization,
    TokenRequestRefused,
    UserTokens,
    VerificationError,
)
from ostiary.client.authorization_request import Wanted, build
from ostiary.protocol import credential, metadata
from ostiary.protocol.credential import Credential
from ostiary.protocol.jwk import SigningKey
from ostiary.protocol.secret_credential import SecretCredential
from tests.client.conftest import TurnedClock
from tests.client.openid_provider import Members, OpenIdProvider

CALLBACK = "https://app.example.com/callback"


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query, strict_parsing=True).items()}


# -- the request -------------------------------------------------------------------------------------------------------


def test_the_request_holds_what_the_specifications_want(application: Application, provider: OpenIdProvider) -> None:
    request = application.begin(
        scope=["openid", "orders:read"],
        resource="https://orders.example.com",
        prompt="login",
        max_age=300,
        acr_values=["phr"],
        login_hint="ada",
    )
    assert request.url.startswith(f"{provider.issuer}/authorize?")
    asked, pending = query_of(request.url), request.pending
    assert asked == {
        "response_type": "code",
        "client_id": "app",
        "redirect_uri": CALLBACK,
        "scope": "openid orders:read",
        "state": pending.state,
        "nonce": pending.nonce,
        "code_challenge": asked["code_challenge"],
        "code_challenge_method": "S256",
        "resource": "https://orders.example.com",
        "prompt": "login",
        "max_age": "300",
        "acr_values": "phr",
        "login_hint": "ada",
    }


def test_state_nonce_and_verifier_are_different_and_the_verifier_stays_here(application: Application) -> None:
    """attack 25"""
    requests = [application.begin() for _ in range(3)]
    secrets = [value for one in requests for value in (one.pending.state, one.pending.nonce, one.pending.code_verifier)]
    assert len(set(secrets)) == 9
    assert all(len(value) >= 43 for value in secrets)
    for one in requests:
        assert one.pending.code_verifier not in one.url
        assert one.pending.code_verifier not in repr(one)
        assert one.pending.state not in repr(one.pending)


def test_randomness_that_repeats_itself_is_refused(provider: OpenIdProvider) -> None:
    """attack 25"""
    known = metadata.parse_authorization_server(json.dumps(provider.metadata).encode(), provider.issuer)
    with pytest.raises(ConfigurationError, match="repeats itself"):
        build(known, "app", CALLBACK, Wanted(), now=0.0, secret=lambda: "v" * 43)


def test_the_query_of_the_authorization_endpoint_is_kept(application: Application, provider: OpenIdProvider) -> None:
    provider.metadata["authorization_endpoint"] += "?tenant=1"
    assert query_of(application.begin().url)["tenant"] == "1"


@pytest.mark.parametrize(
    ("member", "value", "said"),
    [
        ("issuer", "https://other.example.com", "issuer mismatch"),
        ("authorization_endpoint", None, "publishes no authorization_endpoint"),
        ("authorization_endpoint", "http://auth.example.com/authorize", "not reached over TLS"),
        ("code_challenge_methods_supported", ["plain"], "PKCE"),
    ],
)
def test_a_provider_that_cannot_be_trusted_sees_no_user(
    application: Application, provider: OpenIdProvider, member: str, value: object, said: str
) -> None:
    provider.metadata[member] = value
    with pytest.raises((VerificationError, ConfigurationError), match=said):
        application.begin()


def test_what_is_pending_survives_being_kept(application: Application, provider: OpenIdProvider) -> None:
    request = application.begin(acr_values=["urn:ostiary:acr:one-factor"], max_age=10)
    kept = PendingAuthorization.from_json(request.pending.to_json())
    assert kept == request.pending
    assert application.finish(kept, provider.callback(request.url)).subject == "usr_ada"
    with pytest.raises(ConfigurationError, match="no pending sign-in"):
        PendingAuthorization.from_json(b'{"issuer":1}')


def test_one_text_is_no_list_of_levels(application: Application) -> None:
    with pytest.raises(ConfigurationError, match="a list"):
        application.begin(acr_values="phr")


# -- the way back ------------------------------------------------------------------------------------------------------


def test_the_user_comes_back_and_the_code_becomes_tokens(application: Application, provider: OpenIdProvider) -> None:
    request = application.begin(scope="openid orders:read", resource="https://orders.example.com")
    tokens = application.finish(request.pending, provider.callback(request.url))
    assert (tokens.subject, tokens.access.value, tokens.scope) == ("usr_ada", "access-1", "openid orders:read")
    sent = provider.server.of("/token")[0].form()
    assert sent == {
        "grant_type": ["authorization_code"],
        "code": ["code-1"],
        "redirect_uri": [CALLBACK],
        "code_verifier": [request.pending.code_verifier],
        "client_id": ["app"],
    }
    assert UserTokens.from_json(tokens.to_json()) == tokens
    for secret in ("access-1", "refresh-1", tokens.id_token):
        assert str(secret) not in repr(tokens)


def test_an_asynchronous_application_does_the_same(application: Application, provider: OpenIdProvider) -> None:
    async def flow() -> UserTokens:
        request = await application.begin_async()
        return await application.finish_async(request.pending, provider.sign_in(request.url))

    assert asyncio.run(flow()).subject == "usr_ada"


def test_without_openid_there_is_no_nonce_and_the_resource_is_named_again(
    application: Application, provider: OpenIdProvider
) -> None:
    provider.bend_tokens = lambda members: members.pop("id_token")
    request = application.begin(scope="orders:read", resource="https://orders.example.com")
    assert "nonce" not in query_of(request.url)
    tokens = application.finish(request.pending, provider.callback(request.url))
    assert (tokens.subject, tokens.id_token) == (None, None)
    assert provider.server.of("/token")[0].form()["resource"] == ["https://orders.example.com"]


Bend = Callable[[Members], object]


@pytest.mark.parametrize(
    ("bend", "check"),
    [
        (lambda back: back.pop("state"), "state"),
        (lambda back: back.update(state="x" * 43), "state"),
        (lambda back: back.update(state=""), "state"),
        (lambda back: back.pop("iss"), "issuer"),
        (lambda back: back.update(iss="https://evil.example.com"), "issuer"),
        (lambda back: back.update(iss=back["iss"] + "/"), "issuer"),
        (lambda back: back.pop("code"), "format"),
        (lambda back: back.update(code=""), "format"),
        (lambda back: back.update(code="c\n1"), "format"),
        (lambda back: back.update(code=["c1", "c2"]), "format"),
        (lambda back: back.update(error="a\x00b"), "format"),
    ],
)
def test_each_fault_of_the_response_alone_is_refused_and_no_code_leaves(
    application: Application, provider: OpenIdProvider, bend: Bend, check: str
) -> None:
    """attack 21: RFC 9207 2.4; standards 20"""
    request = application.begin()
    back = provider.sign_in(request.url)
    bend(back)
    with pytest.raises(VerificationError) as caught:
        application.finish(request.pending, back)
    assert caught.value.check == check
    assert provider.server.of("/token") == []


def test_iss_may_be_absent_where_the_server_does_not_know_it_and_is_compared_where_it_is_there(
    application: Application, provider: OpenIdProvider
) -> None:
    """attack 21"""
    del provider.metadata["authorization_response_iss_parameter_supported"]
    request = application.begin()
    back = provider.sign_in(request.url)
    with pytest.raises(VerificationError, match="issuer"):
        application.finish(request.pending, back | {"iss": "https://evil.example.com"})
    del back["iss"]
    assert application.finish(request.pending, back).subject == "usr_ada"


@pytest.mark.parametrize("query", ["code=a&code=b&state=s", "&".join(f"p{n}=1" for n in range(60))])
def test_doubled_parameters_are_refused(application: Application, query: str) -> None:
    with pytest.raises(VerificationError) as caught:
        application.finish(application.begin().pending, f"{CALLBACK}?{query}")
    assert caught.value.check == "format"


MULTI_DICTS = [
    lambda query: MultiValueDict(parse_qs(query)),  # of which its QueryDict is made
    lambda query: QueryParams(query),
    lambda query: MultiDict(parse_qsl(query)),
]


@pytest.mark.parametrize("made", MULTI_DICTS, ids=["django", "starlette", "werkzeug"])
def test_the_parameters_as_a_framework_holds_them_are_read_and_a_doubled_one_refused(
    application: Application, provider: OpenIdProvider, made: Callable[[str], Mapping[str, str]]
) -> None:
    """RFC 6749 section 3.1"""
    request = application.begin()
    query = urlencode(provider.sign_in(request.url))
    for doubled in ("code=code-1", "state=x", "other=1&other=1"):
        with pytest.raises(VerificationError, match="malformed"):
            application.finish(request.pending, made(f"{query}&{doubled}"))
    assert application.finish(request.pending, made(query)).subject == "usr_ada"


def test_who_comes_back_too_late_begins_again(
    application: Application, provider: OpenIdProvider, clock: TurnedClock
) -> None:
    request = application.begin()
    clock.now += 3600
    with pytest.raises(VerificationError) as caught:
        application.finish(request.pending, provider.sign_in(request.url))
    assert caught.value.check == "expiry"


def test_a_refusal_is_an_error_with_its_code_once_it_is_known_to_be_the_answer(
    application: Application, provider: OpenIdProvider
) -> None:
    request = application.begin()
    told = {"error": "access_denied", "error_description": "no", "state": request.pending.state}
    with pytest.raises(VerificationError, match="issuer"):
        application.finish(request.pending, told)
    with pytest.raises(VerificationError, match="state"):
        application.finish(request.pending, told | {"iss": provider.issuer, "state": "other"})
    with pytest.raises(AuthorizationRefused, match="access_denied: no") as caught:
        application.finish(request.pending, told | {"iss": provider.issuer})
    assert caught.value.code == "access_denied"


def test_the_answer_to_another_issuers_request_is_not_taken(application: Application, provider: OpenIdProvider) -> None:
    """attack 21: what belongs to one issuer goes to no other."""
    request = application.begin()
    back = provider.sign_in(request.url)
    for other in ({"issuer": "https://evil.example.com"}, {"client_id": "other"}):
        with pytest.raises(ConfigurationError, match="apart"):
            application.finish(replace(request.pending, **other), back)  # type: ignore[arg-type]
    assert provider.server.of("/token") == []


def test_a_refused_code_is_typed(application: Application, provider: OpenIdProvider) -> None:
    request = application.begin()
    back = provider.sign_in(request.url)
    application.finish(request.pending, back)
    with pytest.raises(TokenRequestRefused, match="invalid_grant"):
        application.finish(request.pending, back)


# -- the ID token ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bend", "check"),
    [
        (lambda claims: claims.update(iss="https://evil.example.com"), "issuer"),
        (lambda claims: claims.pop("iss"), "issuer"),
        (lambda claims: claims.pop("sub"), "subject"),
        (lambda claims: claims.update(sub="u" * 256), "subject"),
        (lambda claims: claims.update(aud="other"), "audience"),
        (lambda claims: claims.pop("aud"), "audience"),
        (lambda claims: claims.update(aud=["app", "other"], azp="app"), "authorized_party"),
        (lambda claims: claims.update(azp="other"), "authorized_party"),
        (lambda claims: claims.update(exp=claims["iat"] - 11), "expiry"),
        (lambda claims: claims.pop("exp"), "expiry"),
        (lambda claims: claims.pop("iat"), "issued_at"),
        (lambda claims: claims.update(iat=claims["iat"] + 60), "issued_at"),
        (lambda claims: claims.update(iat=claims["iat"] - 611), "issued_at"),
        (lambda claims: claims.update(nonce="another"), "nonce"),
        (lambda claims: claims.pop("nonce"), "nonce"),
        (lambda claims: claims.update(nonce=1), "nonce"),
        (lambda claims: claims.update(at_hash="A" * 22), "token_hash"),
        (lambda claims: claims.update(at_hash=None), "token_hash"),
        (lambda claims: claims.pop("auth_time"), "auth_time"),
        (lambda claims: claims.update(auth_time=claims["auth_time"] - 71), "auth_time"),
        (lambda claims: claims.update(auth_time="now"), "auth_time"),
        (lambda claims: claims.pop("acr"), "acr"),
        (lambda claims: claims.update(acr="0"), "acr"),
    ],
)
def test_each_fault_of_the_id_token_alone_is_refused(
    application: Application, provider: OpenIdProvider, bend: Bend, check: str
) -> None:
    """standards 100"""
    request = application.begin(max_age=60, acr_values=["urn:ostiary:acr:one-factor"])
    provider.bend_id_token = bend
    with pytest.raises(VerificationError) as caught:
        application.finish(request.pending, provider.sign_in(request.url))
    assert caught.value.check == check


def test_a_good_id_token_passes_all_of_these_checks(application: Application, provider: OpenIdProvider) -> None:
    request = application.begin(max_age=60, acr_values=["urn:ostiary:acr:one-factor"])
    provider.bend_id_token = lambda claims: claims.update(aud=["app"], azp="app", auth_time=claims["auth_time"] - 60)
    assert application.finish(request.pending, provider.sign_in(request.url)).claims["azp"] == "app"


def test_a_stronger_sign_in_than_wanted_will_do(application: Application, provider: OpenIdProvider) -> None:
    request = application.begin(acr_values=["urn:ostiary:acr:one-factor"])
    provider.bend_id_token = lambda claims: claims.update(acr="phr")
    assert application.finish(request.pending, provider.sign_in(request.url)).claims["acr"] == "phr"


def _foreign_key(provider: OpenIdProvider) -> None:
    provider.signer = ECKey.generate_key("P-256")


def _unknown_kid(provider: OpenIdProvider) -> None:
    provider.header["kid"] = "op-2"


def _no_kid(provider: OpenIdProvider) -> None:
    del provider.header["kid"]


def _other_type(provider: OpenIdProvider) -> None:
    provider.header["typ"] = "at+jwt"


def _hmac(provider: OpenIdProvider) -> None:
    provider.header["alg"] = "HS256"
    provider.signer = OctKey.import_key(json.dumps(provider.key.as_dict(private=False)))  # type: ignore[assignment]


def _none(provider: OpenIdProvider) -> None:
    def unsigned(members: Members) -> None:
        _, payload, _ = members["id_token"].split(".")
        header = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
        members["id_token"] = f"{header}.{payload}."

    provider.bend_tokens = unsigned


def _missing(provider: OpenIdProvider) -> None:
    provider.bend_tokens = lambda members: members.pop("id_token")


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (_foreign_key, "signature"),
        (_unknown_kid, "key"),
        (_no_kid, "key"),
        (_other_type, "type"),
        (_hmac, "algorithm"),
        (_none, "format"),
        (_missing, "answer"),
    ],
)
def test_an_id_token_that_the_issuer_did_not_sign_is_refused(
    application: Application, provider: OpenIdProvider, fault: Callable[[OpenIdProvider], None], check: str
) -> None:
    fault(provider)
    request = application.begin()
    with pytest.raises(VerificationError) as caught:
        application.finish(request.pending, provider.sign_in(request.url))
    assert caught.value.check == check


def test_a_new_key_of_the_issuer_is_found_and_forged_names_do_not_flood_it(
    application: Application, provider: OpenIdProvider, clock: TurnedClock
) -> None:
    request = application.begin()
    application.finish(request.pending, provider.sign_in(request.url))
    provider.key = provider.signer = ECKey.generate_key("P-256", {"kid": "op-2", "alg": "ES256", "use": "sig"})
    provider.header["kid"] = "op-2"
    request = application.begin()
    with pytest.raises(VerificationError, match="unknown key"):
        application.finish(request.pending, provider.sign_in(request.url))
    assert len(provider.server.of("/jwks")) == 1
    clock.now += 10
    request = application.begin()
    assert application.finish(request.pending, provider.sign_in(request.url)).subject == "usr_ada"
    assert len(provider.server.of("/jwks")) == 2


# -- how the client proves itself --------------------------------------------------------------------------------------


def _finished(application: Application, provider: OpenIdProvider) -> dict[str, Any]:
    request = application.begin()
    application.finish(request.pending, provider.sign_in(request.url))
    received = provider.server.of("/token")[-1]
    return {"form": received.form(), "authorization": received.headers.get("authorization")}


def test_a_key_proves_the_client_by_an_assertion_for_the_issuer_alone(
    provider: OpenIdProvider, clock: TurnedClock, key: SigningKey
) -> None:
    own = Application(issuer=provider.issuer, client_id="app", redirect_uri=CALLBACK, key=key, clock=clock)
    form = _finished(own, provider)["form"]
    keys = KeySet([ECKey.import_key(dict(key.verification_key.public_jwk()))])
    assertion = jws.deserialize_compact(form["client_assertion"][0], keys, algorithms=["ES256"])
    claims = json.loads(assertion.payload or b"")
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("app", "app", provider.issuer)
    assert "client_id" not in form


def test_a_secret_travels_encoded_in_the_header_alone(
    provider: OpenIdProvider, clock: TurnedClock, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_text("q:wert7/+\n")
    file.chmod(0o600)
    own = Application(issuer=provider.issuer, client_id="app", redirect_uri=CALLBACK, secret_file=file, clock=clock)
    sent = _finished(own, provider)
    assert base64.b64decode(sent["authorization"].removeprefix("Basic ")) == b"app:q%3Awert7%2F%2B"
    assert not {"client_id", "client_secret", "client_assertion"} & sent["form"].keys()
    assert "wert7" not in repr(own) + repr(vars(own))


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_the_file_of_a_client_with_a_secret_says_how_it_is_sent(
    provider: OpenIdProvider, tmp_path: Path, method: str, clock: TurnedClock
) -> None:
    file = tmp_path / "app.json"
    file.write_bytes(SecretCredential(provider.issuer, "app", method, "ost_cs_1").to_json())
    file.chmod(0o600)
    clock.now = time.time()
    sent = _finished(Application.from_file(file, redirect_uri=CALLBACK), provider)
    assert ("ost_cs_1" in str(sent["form"])) is (method == "client_secret_post")
    assert (sent["authorization"] is None) is (method == "client_secret_post")


def test_the_file_of_a_client_with_a_key_will_do(client_file: Path) -> None:
    assert "orders-client" in repr(Application.from_file(client_file, redirect_uri=CALLBACK))


def test_the_type_of_a_file_says_what_it_holds_whatever_else_stands_there(
    provider: OpenIdProvider, key: SigningKey, tmp_path: Path
) -> None:
    file = tmp_path / "app.json"
    file.write_bytes(Credential(credential.CLIENT, provider.issuer, credential.CLIENT_SECRET, key).to_json())
    file.chmod(0o600)
    assert credential.CLIENT_SECRET in repr(Application.from_file(file))
    escaped = SecretCredential(provider.issuer, "app", "client_secret_basic", "ost_cs_1").to_json()
    file.write_bytes(escaped.replace(b"ostiary-client-secret", rb"ostiary\u002dclient-secret"))
    assert "'app'" in repr(Application.from_file(file))


def test_a_file_is_read_once(client_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    really = os.open

    def watched(path: object, *further: int) -> int:
        opened.append(path)
        return really(path, *further)  # type: ignore[arg-type]

    monkeypatch.setattr("os.open", watched)
    Application.from_file(client_file)
    assert opened.count(client_file) == 1


@pytest.mark.parametrize("bent", ["client_id", "token_endpoint_auth_method", "client_secret"])
def test_a_broken_file_with_a_secret_tells_nothing_of_it(tmp_path: Path, bent: str) -> None:
    members = json.loads(SecretCredential("https://auth.example.com", "app", "client_secret_basic", "wert7").to_json())
    members[bent] = "" if bent != "client_secret" else 7
    file = tmp_path / "app.json"
    file.write_text(json.dumps(members))
    file.chmod(0o600)
    with pytest.raises(ConfigurationError, match="no file with a client secret") as caught:
        Application.from_file(file)
    assert "wert7" not in str(caught.value)


def test_a_secret_file_that_others_can_read_is_refused(provider: OpenIdProvider, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("secret")
    file.chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        Application(issuer=provider.issuer, client_id="app", secret_file=file)


def test_a_way_that_the_server_does_not_take_is_one_sentence(
    application: Application, provider: OpenIdProvider
) -> None:
    provider.metadata["token_endpoint_auth_methods_supported"] = ["private_key_jwt"]
    request = application.begin()
    with pytest.raises(ConfigurationError, match="does not take none; it takes private_key_jwt"):
        application.finish(request.pending, provider.sign_in(request.url))


# -- signing out -------------------------------------------------------------------------------------------------------


def test_signing_out_tells_the_issuer_whose_session_it_is(application: Application, provider: OpenIdProvider) -> None:
    request = application.begin()
    tokens = application.finish(request.pending, provider.sign_in(request.url))
    url = application.sign_out_url(tokens, post_logout_redirect_uri="https://app.example.com/")
    assert url.startswith(f"{provider.issuer}/logout?")
    assert query_of(url) == {
        "id_token_hint": tokens.id_token,
        "client_id": "app",
        "post_logout_redirect_uri": "https://app.example.com/",
    }
