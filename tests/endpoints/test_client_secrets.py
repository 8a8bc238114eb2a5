"""``client_secret_basic``, ``client_secret_post``, ``none``: each check alone, and each method for its own clients."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote_plus

import pytest

from ostiary.authorization_server.client_authentication import METHODS, client_secrets
from ostiary.authorization_server.grants.client_credentials import GRANT
from ostiary.model.client import AuthenticationMethod
from ostiary.protocol import token_format
from tests.authorization_server.world import ORDERS, Answer, World, shop_world
from tests.endpoints.test_client_authentication import refused_by

SECRET = token_format.generate(token_format.CLIENT_SECRET, "abcdef", random=bytes)
OTHER_SECRET = token_format.generate(token_format.CLIENT_SECRET, "abcdef", random=b"o".__mul__)
ASK = {"grant_type": "client_credentials", "resource": ORDERS}
AUTHENTICATED = ["/token", "/introspect", "/revoke", "/client-keys", "/client-keys/next", "/traces"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The usual world, with one client for each method: ``basic``, ``post``, ``public`` and, by key, ``shop``."""
    with shop_world(tmp_path) as built:
        digest = token_format.digest(SECRET)
        built.add_client("basic", key=None, authentication_method="client_secret_basic", secret_digest=digest)
        built.add_client("post", key=None, authentication_method="client_secret_post", secret_digest=digest)
        built.add_client("public", key=None, authentication_method="none")
        yield built


def basic(client_id: str, secret: str = SECRET) -> str:
    """The header as RFC 6749 2.3.1 wants it."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def by_basic(world: World, header: str, /, **parameters: str) -> Answer:
    return world.post("/token", ASK | parameters, authorization=header)


def by_post(world: World, **parameters: str) -> Answer:
    return world.post("/token", ASK | parameters)


def test_a_secret_in_the_header_proves_its_client(world: World) -> None:
    answer = by_basic(world, basic("basic"))
    assert answer.status == 200
    assert world.introspect(answer.json["access_token"]).json["client_id"] == "basic"


def test_a_secret_in_the_form_proves_its_client(world: World) -> None:
    answer = by_post(world, client_id="post", client_secret=SECRET)
    assert answer.status == 200
    assert world.introspect(answer.json["access_token"]).json["client_id"] == "post"


def test_a_proof_by_secret_uses_nothing_up(world: World) -> None:
    assert [by_basic(world, basic("basic")).status for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize("scheme", ["Basic ", "basic ", "BASIC ", "Basic   "])
def test_the_scheme_is_read_as_http_wants_it(world: World, scheme: str) -> None:
    """RFC 9110 11.1: the scheme in any case; 11.6.2: one or more spaces."""
    assert by_basic(world, scheme + basic("basic").partition(" ")[2]).status == 200


@pytest.mark.parametrize("client_id", ["a~b", "a.b-c_d"])
def test_id_and_secret_are_form_decoded(world: World, client_id: str) -> None:
    """RFC 6749 2.3.1: both are form-encoded before they are joined; those who leave it out are understood too."""
    digest = token_format.digest("p@ss: w+rd%")
    world.add_client(client_id, key=None, authentication_method="client_secret_basic", secret_digest=digest)
    assert by_basic(world, basic(client_id, "p@ss: w+rd%")).status == 200
    everything = "".join(f"%{octet:02X}" for octet in client_id.encode())
    header = base64.b64encode(f"{everything}:{quote_plus('p@ss: w+rd%')}".encode()).decode()
    assert by_basic(world, f"Basic {header}").status == 200


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic ",
        "Basic!",
        "Basicc2hvcDpodW50ZXI=",
        "Basic c2hvcDpodW50ZXI=, Basic c2hvcDpodW50ZXI=",
        "Basic c2hvcDpodW50ZXI=" + "A" * 2000,
        "Basic c2hvcDpodW50ZX",
        "Basic c2hvc Dpod==",
        "Basic " + base64.b64encode(b"basic").decode(),
        "Basic " + base64.b64encode(b":").decode(),
        "Basic " + base64.b64encode(b"basic:").decode(),
        "Basic " + base64.b64encode(b":" + SECRET.encode()).decode(),
        "Basic " + base64.b64encode(b"basic:%zz").decode(),
        "Basic " + base64.b64encode(b"basic:%0a").decode(),
        "Basic " + base64.b64encode(b"basic:\n").decode(),
        "Basic " + base64.b64encode(b"basic\x00:x").decode(),
        "Basic " + base64.b64encode("basic:ü".encode()).decode(),
        "Basic " + base64.b64encode(b"basic:%ff").decode(),
    ],
)
def test_what_is_no_basic_header_is_refused_with_the_challenge(world: World, header: str) -> None:
    answer = by_basic(world, header)
    refused_by(world, answer, "method")
    assert answer.headers["www-authenticate"].startswith("Basic ")


@pytest.mark.parametrize("header", ["Bearer x", "DPoP x", "Digest username=x", "x", ""])
def test_another_scheme_is_no_authentication(world: World, header: str) -> None:
    answer = by_basic(world, header)
    refused_by(world, answer, "method")
    assert "www-authenticate" not in answer.headers


def test_a_wrong_secret_is_refused(world: World) -> None:
    refused_by(world, by_basic(world, basic("basic", OTHER_SECRET)), "secret")
    refused_by(world, by_post(world, client_id="post", client_secret=OTHER_SECRET), "secret")


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_client_without_a_secret_is_proven_by_none(world: World, method: str) -> None:
    """Not by an empty one, nor by the text of nothing."""
    world.add_client("bare", key=None, authentication_method=method, secret_digest=None)
    for secret in ("x", "None", SECRET):
        answer = by_basic(world, basic("bare", secret)) if "basic" in method else None
        refused_by(world, answer or by_post(world, client_id="bare", client_secret=secret), "secret")


def test_an_empty_secret_is_no_secret(world: World) -> None:
    """RFC 6749 3.2: a parameter without a value is as if it were left out."""
    refused_by(world, by_post(world, client_id="post", client_secret=""), "client")


def test_a_disabled_client_is_refused_after_its_proof_alone(world: World) -> None:
    for client_id in ("basic", "post", "public"):
        client = world.read(lambda work, client_id=client_id: work.clients.get(client_id))
        world.write(lambda work, client=client: work.clients.replace(replace(client, state="disabled")))
    answers = [
        by_basic(world, basic("basic")),
        by_post(world, client_id="post", client_secret=SECRET),
        by_post(world, client_id="public"),
    ]
    for answer in answers:
        refused_by(world, answer, "client")
        assert answer.json["error_description"] == "the client is disabled"
    assert by_basic(world, basic("basic", OTHER_SECRET)).json["error_description"] == "client authentication failed"


def test_unknown_clients_and_wrong_secrets_get_the_same_answer(world: World) -> None:
    def told(answer: Answer) -> object:
        return answer.status, {**answer.json, "trace": ""}, sorted(answer.headers)

    names = ["basic", "nobody", "post", "shop", "public"]
    headers = [told(by_basic(world, basic(name, OTHER_SECRET))) for name in names]
    forms = [told(by_post(world, client_id=name, client_secret=OTHER_SECRET)) for name in names]
    assert all(one == headers[0] for one in headers)
    assert all(one == forms[0] for one in forms)


@pytest.mark.parametrize("client_id", ["nobody", "basic", "shop", "public"])
def test_a_comparison_is_made_for_every_client(world: World, monkeypatch: pytest.MonkeyPatch, client_id: str) -> None:
    """An answer that comes sooner would tell a stranger who exists; the comparison itself takes constant time."""
    compared: list[tuple[int, int]] = []

    def counted(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(client_secrets, "compare_digest", counted)
    assert by_basic(world, basic(client_id, OTHER_SECRET)).status == 401
    assert compared == [(32, 32)]


def credentials(world: World, client_id: str) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    """For each method the form and the headers by which ``client_id`` would use it."""
    return {
        "private_key_jwt": (world.form(client_id), {}),
        "client_secret_basic": ({}, {"authorization": basic(client_id)}),
        "client_secret_post": ({"client_id": client_id, "client_secret": SECRET}, {}),
        "none": ({"client_id": client_id}, {}),
    }


REGISTERED = {
    "shop": "private_key_jwt",
    "basic": "client_secret_basic",
    "post": "client_secret_post",
    "public": "none",
}


def test_a_client_can_be_registered_for_every_method_that_there_is() -> None:
    assert set(get_args(AuthenticationMethod)) == {method.name for method in METHODS}


def test_there_is_a_client_here_for_every_method_but_those_of_tls_and_of_spiffe() -> None:
    others = {method.name for method in METHODS if method.by_certificate} | {"spiffe_jwt"}
    assert set(REGISTERED.values()) == {method.name for method in METHODS} - others


@pytest.mark.parametrize("client_id", REGISTERED)
@pytest.mark.parametrize("method", REGISTERED.values())
def test_the_registered_method_decides(world: World, client_id: str, method: str) -> None:
    """attack 20; RFC 6749 2.3: never a guess, not even where the secret would be right."""
    form, headers = credentials(world, client_id)[method]
    answer = world.post("/revoke", {"token": "x"} | form, **headers)
    assert (answer.status == 200) == (REGISTERED[client_id] == method), answer.body
    if answer.status != 200:
        assert (answer.status, answer.json["error"]) == (401, "invalid_client")


def test_the_trace_tells_the_operator_of_the_other_method(world: World) -> None:
    trace = world.trace(by_post(world, client_id="basic", client_secret=SECRET))
    assert (trace.context["presented"], trace.context["registered_for"]) == (
        "client_secret_post",
        "client_secret_basic",
    )


@pytest.mark.parametrize("client_id", REGISTERED)
@pytest.mark.parametrize("methods", list(combinations([m for m in REGISTERED.values() if m != "none"], 2)))
def test_two_methods_in_one_request_are_refused(world: World, client_id: str, methods: tuple[str, str]) -> None:
    """RFC 6749 2.3: "The client MUST NOT use more than one authentication method in each request." """
    form: dict[str, str] = {"token": "x"}
    headers: dict[str, str] = {}
    for method in methods:
        more_form, more_headers = credentials(world, client_id)[method]
        form, headers = form | more_form, headers | more_headers
    refused_by(world, world.post("/revoke", form, **headers), "method")


@pytest.mark.parametrize("method", ["private_key_jwt", "client_secret_post", "none"])
@pytest.mark.parametrize("scheme", ["Bearer x", "DPoP x", "Negotiate x"])
def test_a_method_beside_another_scheme_is_refused(world: World, method: str, scheme: str) -> None:
    client_id = next(name for name, registered in REGISTERED.items() if registered == method)
    form, _ = credentials(world, client_id)[method]
    refused_by(world, world.post("/revoke", {"token": "x"} | form, authorization=scheme), "method")


@pytest.mark.parametrize("path", AUTHENTICATED)
@pytest.mark.parametrize("client_id", ["basic", "shop"])
def test_a_client_cannot_name_another_beside_its_proof(world: World, path: str, client_id: str) -> None:
    """attack 20: authenticate as one, name another; by the form it is the same name that is proven."""
    form, headers = credentials(world, client_id)[REGISTERED[client_id]]
    refused_by(world, world.post(path, form | {"client_id": "other", "token": "x"}, **headers), "client")


def test_the_client_id_of_the_header_may_be_sent(world: World) -> None:
    assert by_basic(world, basic("basic"), client_id="basic").status == 200


def test_a_secret_without_a_client_id_is_refused(world: World) -> None:
    refused_by(world, by_post(world, client_secret=SECRET), "method")


def test_a_secret_of_one_client_does_not_prove_another(world: World) -> None:
    digest = token_format.digest(OTHER_SECRET)
    world.add_client("second", key=None, authentication_method="client_secret_basic", secret_digest=digest)
    refused_by(world, by_basic(world, basic("basic", OTHER_SECRET)), "secret")
    refused_by(world, by_basic(world, basic("second", SECRET)), "secret")


@pytest.mark.parametrize("path", [path for path in AUTHENTICATED if path not in ("/token", "/revoke")])
def test_a_public_client_is_let_in_only_where_it_has_business(world: World, path: str) -> None:
    """RFC 7662 2.1: the introspection endpoint "MUST also require some form of authorization"."""
    refused_by(world, world.post(path, {"client_id": "public", "token": "x"}), "method")


def test_a_public_client_gets_no_token_in_its_own_name(world: World) -> None:
    """RFC 6749 4.4: "The client credentials grant type MUST only be used by confidential clients." """
    assert not GRANT.for_public_clients
    refused_by(world, by_post(world, client_id="public"), "grant_type", "unauthorized_client", 400)


def test_a_public_client_revokes_its_own_tokens_alone(world: World) -> None:
    """RFC 7009 5: others could otherwise end tokens by naming whatever client."""
    token = world.access_token("shop")
    answer = world.post("/revoke", {"client_id": "public", "token": token})
    assert (answer.status, answer.json["error"]) == (400, "unauthorized_client")
    assert world.introspect(token).json["active"] is True


def test_a_stranger_cannot_take_the_share_of_a_public_client(world: World) -> None:
    """Whoever names a public client is counted by address; a client that proved itself is counted as itself."""
    world.add_client("small", key=None, authentication_method="none", max_concurrency=1)
    with world.server.concurrency.slot("small 203.0.113.9", 1) as refusal:
        assert refusal is None
        assert world.post("/revoke", {"client_id": "small", "token": "x"}).status == 200
    with world.server.concurrency.slot("small 192.0.2.7", 1):
        assert world.post("/revoke", {"client_id": "small", "token": "x"}).status == 429


def test_a_secret_is_nowhere_in_the_database(world: World) -> None:
    by_basic(world, basic("basic"))
    by_basic(world, basic("basic", OTHER_SECRET))
    by_post(world, client_id="basic", client_secret=OTHER_SECRET)
    by_post(world, client_id="post", client_secret=SECRET, client_assertion="x")
    kept = b"".join(file.read_bytes() for file in world.folder.glob("ostiary.db*"))
    for secret in (SECRET, OTHER_SECRET, basic("basic").partition(" ")[2]):
        assert secret.encode() not in kept
    assert token_format.digest(SECRET) in kept


def test_the_metadata_names_each_method_where_it_may_be_used(world: World) -> None:
    document: dict[str, Any] = world.get("/.well-known/oauth-authorization-server").json
    by_certificate = ["tls_client_auth", "self_signed_tls_client_auth"]
    proving = ["private_key_jwt", "spiffe_jwt", *by_certificate, "client_secret_basic", "client_secret_post"]
    assert document["token_endpoint_auth_methods_supported"] == [*proving, "none"]
    assert document["revocation_endpoint_auth_methods_supported"] == [*proving, "none"]
    assert document["introspection_endpoint_auth_methods_supported"] == proving
