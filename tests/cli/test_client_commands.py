"""The client's commands, run as a person runs them; some of them in a process of their own."""

from __future__ import annotations

import io
import json
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ostiary import __version__
from ostiary.cli import NOUNS, main
from ostiary.protocol import access_token, credential, jws, next_key, token_format
from ostiary.protocol.credential import Credential
from ostiary.protocol.jwk import SigningKey
from ostiary.secret_files import write_secret_file
from tests.client.conftest import CLIENT_ID, TurnedClock
from tests.client.http_server import Received, Reply, Server
from tests.client.oracle import AuthorizationServer, reply_json


@pytest.fixture(autouse=True)
def _real_time(clock: TurnedClock) -> None:
    # The command has the machine's clock; so has the server that it meets.
    clock.now = time.time()


def process(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "ostiary", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=30)


def ostiary(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """The same command with streams like those of a process, without waiting for Python to start."""
    code: object = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
        out, err = io.BytesIO(), io.BytesIO()
        patch.setattr(sys, "stdout", io.TextIOWrapper(out, "utf-8", write_through=True))
        patch.setattr(sys, "stderr", io.TextIOWrapper(err, "utf-8", write_through=True))
        try:
            main(arguments)
        except SystemExit as ended:
            code = ended.code or 0
        return subprocess.CompletedProcess(arguments, int(str(code)), out.getvalue(), err.getvalue())


def test_overview_lists_every_noun() -> None:
    done = process("--help")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.decode().splitlines() if line.startswith("  ")] == list(NOUNS)


def test_version_is_told() -> None:
    assert process("--version").stdout.decode() == f"ostiary {__version__}\n"


def test_unknown_noun_names_the_nearest_one() -> None:
    done = process("tokne", "get")
    assert done.returncode == 2
    assert b"ostiary token?" in done.stderr


def test_unknown_option_is_wrong_usage() -> None:
    assert ostiary("token", "get", "--colour").returncode == 2


@pytest.mark.parametrize(("missing", "extra"), [("typer", "cli"), ("rich", "cli"), ("uvicorn", "server")])
def test_missing_extra_is_one_sentence_that_names_it(
    missing: str, extra: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    noun = tmp_path / "needy_noun.py"
    noun.write_text(f"import {missing}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(NOUNS, "dev", type(NOUNS["dev"])("needy_noun", "", "server"))
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, "needy_noun", raising=False)
    with pytest.raises(SystemExit) as caught:
        main(["dev"])
    assert caught.value.code == 3
    assert capsys.readouterr().err == f'This needs the extra "{extra}": pip install "ostiary[{extra}]"\n'


def test_token_stands_alone_on_standard_output(client_file: Path, api: Server) -> None:
    done = process(
        "token", "get", "--client-file", str(client_file), "--resource", api.url, "--scope", "a", "--scope", "b"
    )
    assert (done.returncode, done.stdout) == (0, b"token-1\n")
    assert b"Next:" in done.stderr


def test_token_request_holds_resource_and_scopes(
    client_file: Path, api: Server, authorization_server: AuthorizationServer
) -> None:
    ostiary("token", "get", "--client-file", str(client_file), "--resource", api.url, "--scope", "a", "--scope", "b")
    form = authorization_server.server.of("/token")[0].form()
    assert (form["resource"], form["scope"]) == ([api.url], ["a b"])
    assert authorization_server.problems == []


def test_token_as_json_is_the_answer_of_rfc_6749(client_file: Path) -> None:
    done = ostiary("token", "get", "--client-file", str(client_file), "--format", "json")
    answer = {"access_token": "token-1", "token_type": "Bearer", "expires_in": 600, "scope": None}
    assert json.loads(done.stdout) == answer


def test_refused_token_request_tells_reason_trace_and_next_command(
    client_file: Path, authorization_server: AuthorizationServer
) -> None:
    refusal = {"error": "invalid_target", "error_description": "unknown API", "trace": "tr_xyz"}
    authorization_server.answer = lambda: reply_json(refusal, 400)
    done = ostiary("token", "get", "--client-file", str(client_file))
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"invalid_target: unknown API" in done.stderr
    assert b"ostiary explain tr_xyz" in done.stderr


def test_open_key_file_is_a_configuration_error_with_its_mend(client_file: Path) -> None:
    client_file.chmod(0o644)
    done = ostiary("token", "get", "--client-file", str(client_file))
    assert done.returncode == 3
    assert f"chmod 600 {client_file}".encode() in done.stderr


def test_server_that_is_away_is_unavailable(tmp_path: Path, key: SigningKey, unused_port: int) -> None:
    path = tmp_path / "client.json"
    path.write_bytes(Credential(credential.CLIENT, f"http://127.0.0.1:{unused_port}", CLIENT_ID, key).to_json())
    path.chmod(0o600)
    assert process("token", "get", "--client-file", str(path)).returncode == 4


def signed_token(key: SigningKey) -> str:
    claims = access_token.AccessTokenClaims(
        iss="https://auth.example.com", sub="s", aud=("a",), exp=2e9, iat=1e9, jti="j", client_id=CLIENT_ID, scope="r w"
    )
    return jws.sign(access_token.build(claims), key, typ="at+jwt")


def test_inspected_jwt_is_taken_apart_and_not_called_valid(key: SigningKey) -> None:
    done = ostiary("token", "inspect", "--format", "json", stdin=signed_token(key).encode() + b"\n")
    found = json.loads(done.stdout)
    assert (found["kind"], found["signature"]) == ("self-contained access token", "not checked")
    assert (found["iss"], found["scope"], found["kid"]) == ("https://auth.example.com", "r w", key.kid)
    assert "2033-05-18 03:33:20 UTC" in found["exp"]
    assert b"valid" not in done.stdout + done.stderr


def test_inspected_reference_token_tells_kind_and_installation(tmp_path: Path) -> None:
    token = token_format.generate("at", "Ab3dE6")
    path = tmp_path / "token"
    path.write_text(token)
    done = ostiary("token", "inspect", "--file", str(path))
    assert b"reference access token" in done.stdout
    assert b"Ab3dE6" in done.stdout
    assert token.encode() not in done.stdout + done.stderr


@pytest.mark.parametrize("token", [b"", b"a b", b"\xff", b"x" * 70_000], ids=["none", "two", "binary", "long"])
def test_input_that_is_no_token_is_a_configuration_error(token: bytes) -> None:
    assert ostiary("token", "inspect", stdin=token).returncode == 3


@pytest.mark.parametrize("token", [b"ost_at_Ab3dE6_x", b"a.b.c", b"garbage"])
def test_malformed_token_is_told_and_not_repeated(token: bytes) -> None:
    done = ostiary("token", "inspect", stdin=token)
    assert done.returncode in (1, 3)
    assert b"Traceback" not in done.stderr
    assert token not in done.stderr


def test_inspection_with_an_apis_credential_asks_the_server(
    tmp_path: Path, authorization_server: AuthorizationServer, key: SigningKey
) -> None:
    def introspect(received: Received) -> Reply:
        return reply_json({"active": authorization_server.proven(received), "scope": received.form()["token"][0]})

    authorization_server.server.routes["/introspect"] = introspect
    path = tmp_path / "api.json"
    own = Credential(credential.API, authorization_server.issuer, CLIENT_ID, key, "https://orders.example.com")
    path.write_bytes(own.to_json())
    path.chmod(0o600)
    done = ostiary("token", "inspect", "--api-key-file", str(path), "--format", "json", stdin=b"some-token")
    assert json.loads(done.stdout) == {"active": True, "scope": "some-token"}


def test_revocation_sends_the_token_with_proof(client_file: Path, authorization_server: AuthorizationServer) -> None:
    proven: list[bool] = []

    def revoke(received: Received) -> Reply:
        proven.append(authorization_server.proven(received) and received.form()["token"] == ["some-token"])
        return Reply(200)

    authorization_server.server.routes["/revoke"] = revoke
    done = process("token", "revoke", "--client-file", str(client_file), stdin=b"some-token\n")
    assert (done.returncode, proven) == (0, [True])


@pytest.mark.parametrize("verb", ["inspect", "revoke"])
def test_token_is_not_taken_from_the_arguments(verb: str) -> None:
    assert ostiary("token", verb, "some-token").returncode == 2


def test_curl_prints_the_body_and_says_the_status_beside_it(client_file: Path, api: Server) -> None:
    done = ostiary("curl", f"{api.url}/orders", "--client-file", str(client_file), "--resource", api.url)
    assert (done.returncode, done.stdout) == (0, b"Bearer token-1")
    assert b"200 OK" in done.stderr


def test_curl_sends_method_header_and_body(client_file: Path, api: Server, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"\x00order")
    own = ("--client-file", str(client_file), "--resource", api.url)
    process("curl", f"{api.url}/orders", *own, "-X", "put", "-d", f"@{tmp_path / 'body'}", "-H", "X-Own: 1")
    process("curl", f"{api.url}/orders", *own, "-d", "@-", stdin=b"piped")
    first, second = api.received
    assert (first.method, first.body, first.headers["x-own"]) == ("PUT", b"\x00order", "1")
    assert (second.method, second.body) == ("POST", b"piped")


def test_curl_takes_no_secret_header_from_the_arguments(client_file: Path, api: Server) -> None:
    own = ("--client-file", str(client_file), "--resource", api.url)
    assert ostiary("curl", f"{api.url}/orders", *own, "-H", "Authorization: Bearer x").returncode == 3


def test_curl_tells_reason_trace_and_next_command_of_a_refusal(client_file: Path, api: Server) -> None:
    challenge = 'Bearer error="insufficient_scope", error_description="too little", scope="orders:write", trace="tr_q"'
    api.routes["/orders"] = lambda _: Reply(403, b"{}", {"WWW-Authenticate": challenge})
    done = ostiary("curl", f"{api.url}/orders", "--client-file", str(client_file), "--resource", api.url)
    assert (done.returncode, done.stdout) == (1, b"{}")
    for said in (b"403", b"insufficient_scope, too little", b"orders:write", b"ostiary explain tr_q"):
        assert said in done.stderr


def test_curl_does_not_take_a_token_to_another_origin(client_file: Path, api: Server) -> None:
    own = ("--client-file", str(client_file), "--resource", "https://orders.example.com")
    assert ostiary("curl", f"{api.url}/orders", *own).returncode == 3
    assert api.received == []
    assert ostiary("curl", f"{api.url}/orders", *own, "--origin", api.url).returncode == 0


def test_direct_call_is_signed_and_carries_no_token(
    client_file: Path, api: Server, authorization_server: AuthorizationServer
) -> None:
    api.routes["/orders"] = lambda _: Reply(200)
    assert ostiary("curl", f"{api.url}/orders", "--client-file", str(client_file), "--direct").returncode == 0
    assert jws.parse(api.received[0].headers["ostiary-client-jwt"]).claims()["aud"] == api.url
    assert authorization_server.token_requests == 0


def test_next_key_is_written_for_its_owner_alone_and_registered(
    client_file: Path, tmp_path: Path, authorization_server: AuthorizationServer, key: SigningKey
) -> None:
    authorization_server.server.routes["/client-keys/next"] = lambda _: Reply(201)
    new = tmp_path / "next.json"
    done = ostiary("key", "next", "--client-file", str(client_file), "--generate", str(new))
    assert done.returncode == 0
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    found = Credential.parse(new.read_bytes())
    token = jws.parse(authorization_server.server.of("/client-keys/next")[0].form()["next_key"][0])
    issuer = authorization_server.issuer
    asked = next_key.verify(token, key.verification_key, client_id=CLIENT_ID, issuer=issuer, now=time.time())
    assert asked.kid == key.kid
    assert asked.key.thumbprint == found.key.verification_key.thumbprint
    assert found.key.private_jwk()["d"].encode() not in done.stdout + done.stderr


def test_refused_next_key_leaves_no_file(
    client_file: Path, tmp_path: Path, authorization_server: AuthorizationServer
) -> None:
    authorization_server.server.routes["/client-keys/next"] = lambda _: reply_json({"error": "invalid_request"}, 400)
    new = tmp_path / "next.json"
    assert ostiary("key", "next", "--client-file", str(client_file), "--generate", str(new)).returncode == 1
    assert not new.exists()


def test_next_key_never_writes_over_a_file(
    client_file: Path, authorization_server: AuthorizationServer, key: SigningKey
) -> None:
    done = ostiary("key", "next", "--client-file", str(client_file), "--generate", str(client_file))
    assert done.returncode == 3
    assert Credential.parse(client_file.read_bytes()).key.kid == key.kid
    assert authorization_server.server.received == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["curl", "localhost:8000/orders"], ["localhost:8000/orders is no URL", "http://"]),
        (["curl", "http://localhost:8000/"], ["--client-file", "ostiary client create"]),
        (["token", "get"], ["--client-file", "OSTIARY_CLIENT_FILE"]),
        (["token", "revoke"], ["--client-file", "--jti"]),
        (["token", "get", "--client-file", "api.json"], ["the credential of an API", "the credential of a client"]),
    ],
)
def test_what_a_newcomer_forgets_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OSTIARY_CLIENT_FILE", raising=False)
    own = Credential(
        credential.API, "https://auth.example.com", "api_x", SigningKey.generate("ES256"), "https://a.example"
    )
    write_secret_file(tmp_path / "api.json", own.to_json())
    done = ostiary(*arguments)
    assert done.returncode == 3
    for word in words:
        assert word in done.stderr.decode()
