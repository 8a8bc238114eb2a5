"""A whole session at log level debug: no secret that took part stands in the log, a command line, or a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from ostiary.protocol.client_assertion import ASSERTION_TYPE
from ostiary.protocol.jwk import SigningKey
from tests.real.served import ORDERS, STOCK, Served, descendants

pytestmark = pytest.mark.real

WINDOW = 16  # characters: so much of a secret in one piece is a leak


class Secrets:
    """Every secret that the session made; of a JWT the signature, for without it the rest proves nothing."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def jwt(self, name: str, token: str) -> str:
        self.kept[name] = token.rsplit(".", 1)[1]
        return token

    def opaque(self, name: str, token: str) -> str:
        self.kept[name] = token.rsplit("_", 1)[1]
        return token

    def found_in(self, text: str) -> set[str]:
        """The names of the secrets of which ``text`` holds a piece."""
        return {name for name, secret in self.kept.items() if any(piece in text for piece in pieces(secret))}


def pieces(secret: str) -> Iterator[str]:
    assert len(secret) >= WINDOW, "too short to be told from chance"
    return (secret[start : start + WINDOW] for start in range(len(secret) - WINDOW + 1))


@pytest.mark.parametrize("workers", [1, 2])
def test_no_secret_is_logged_or_stored_or_shown(tmp_path: Path, workers: int) -> None:
    """standards 105"""
    served = Served(tmp_path, workers=workers, settings={"log": ['level = "debug"', 'format = "json"']})
    secrets = Secrets()
    command_lines = ""
    with served.run() as process:
        secrets.kept["key-encryption key"] = (tmp_path / "kek").read_text().strip()
        for name, key in (("client key", served.client_key), ("API key", served.api_key)):
            secrets.kept[name] = str(key.private_jwk()["d"])
        _session(served, secrets)
        command_lines = "".join(_command_line(pid) for pid in (process.pid, *descendants(process.pid)))
        assert "ostiary" in command_lines
        assert process.stop() == 0
    assert process.output.count("\n") > 5, "a log at level debug says something"
    for line in process.output.splitlines():
        if line.startswith("{"):
            json.loads(line)
    places = {"log": process.output, "command lines": command_lines}
    kept_open = {served.client_file.name, served.api_file.name, "kek", "new-client.json"}
    places |= {
        path.name: path.read_bytes().decode("latin-1")
        for path in tmp_path.iterdir()
        if path.is_file() and path.name not in kept_open
    }
    assert {"ostiary.db", "heads.jsonl", "ostiary.toml"} <= places.keys()
    assert {place: found for place, text in places.items() if (found := secrets.found_in(text))} == {}
    # The search itself would find them.
    assert secrets.found_in(served.client_file.read_text()) == {"client key"}


def _session(served: Served, secrets: Secrets) -> None:
    with served.http() as http:
        token = _issue(served, http, secrets, "token", ORDERS)
        reference = _issue(served, http, secrets, "reference token", STOCK)
        altered = secrets.jwt("altered token", token[:-40] + "A" * 20 + token[-20:])
        for name, presented in (("token", token), ("reference token", reference), ("altered token", altered)):
            _introspect(served, http, secrets, f"introspection of the {name}", presented)
        _refused(served, http, secrets, token)
        _revoke(served, http, secrets, reference)
        http.get("/jwks", params={"access_token": token}, headers={"authorization": f"Bearer {token}"})
        http.post("/nowhere", data={"access_token": token})
    served.ostiary("token", "get", "--client-file", str(served.client_file), "--resource", ORDERS, code=4)
    served.ostiary(
        "client", "create", "new-client", "--generate", "new-client.json", "--grant", f"{ORDERS}=orders:read"
    )
    secrets.kept["key of the new client"] = json.loads((served.folder / "new-client.json").read_text())["private_key"][
        "d"
    ]
    served.ostiary("keys", "rotate")


def _issue(served: Served, http: httpx2.Client, secrets: Secrets, name: str, resource: str) -> str:
    assertion = secrets.jwt(f"assertion for the {name}", served.assertion())
    answer = http.post("/token", data=served.form(assertion, resource=resource))
    token = str(answer.json()["access_token"])
    assert http.post("/token", data=served.form(assertion, resource=resource)).status_code == 401
    return secrets.jwt(name, token) if resource == ORDERS else secrets.opaque(name, token)


def _introspect(served: Served, http: httpx2.Client, secrets: Secrets, name: str, token: str) -> None:
    assertion = secrets.jwt(name, served.api_assertion())
    form = {"token": token, "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    assert http.post("/introspect", data=form).status_code == 200


def _refused(served: Served, http: httpx2.Client, secrets: Secrets, token: str) -> None:
    """Secrets where they do not belong: each is refused, and what was sent is told nowhere."""
    foreign = SigningKey.generate("ES256", kid=served.client_key.kid)
    by_foreign_key = secrets.jwt("assertion by a foreign key", served.assertion(key=foreign))
    private = json.dumps(served.client_key.private_jwk())
    forms = [
        served.form(by_foreign_key),
        served.form(token),
        served.form(private),
        served.form() | {"scope": token},
        served.form() | {"resource": token},
        served.form() | {"client_id": token},
        served.form() | {"grant_type": token},
        served.form() | {"client_assertion_type": token},
        served.form() | {token: private},
    ]
    for number, form in enumerate(forms):
        assertion = form["client_assertion"]
        if assertion not in (token, private, by_foreign_key):
            secrets.jwt(f"assertion {number}", assertion)
        assert http.post("/token", data=form).status_code in (200, 400, 401), form
    assert http.post("/token", content=token.encode()).status_code in (400, 401)
    assert http.post("/token", headers={"authorization": f"Bearer {token}"}).status_code in (400, 401)


def _revoke(served: Served, http: httpx2.Client, secrets: Secrets, token: str) -> None:
    assertion = secrets.jwt("assertion of the revocation", served.assertion())
    form = {"token": token, "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    assert http.post("/revoke", data=form).status_code == 200


def _command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace") + "\n"
