"""Status lists and signed introspection answers, read by libraries that others wrote; and their lists, read by ours."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ostiary.protocol import client_assertion, jws, status_list
from ostiary.protocol.status_list import INVALID, VALID, StatusList
from tests.real.own_certificate import certified
from tests.real.served import Served

pytestmark = pytest.mark.real
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Two workers over TLS; the API of orders wants its tokens in status lists."""
    folder = tmp_path_factory.mktemp("served")
    own = certified(folder)
    settings = {"static.apis.orders": ["status_list = true"]}
    installed = Served(folder, workers=2, settings=settings, certificate=own.files, trust=own.trust())
    with installed.run():
        yield installed


@dataclass
class Foreign:
    """Runs the programs of this folder by Node."""

    node: Path
    packages: Path
    served: Served

    def run(self, program: str, *arguments: object) -> Any:
        command = [str(part) for part in (self.node, HERE / program, *arguments)]
        environment = {"NODE_EXTRA_CA_CERTS": str(self.served.folder / "ca.pem"), "PATH": "/usr/bin:/bin"}
        finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert finished.returncode == 0, finished.stderr
        return json.loads(finished.stdout)

    def read(self, token: str) -> Any:
        file = self.served.folder / "token"
        file.write_text(token)
        return self.run("status_lists.mjs", "read", self.packages, f"{self.served.issuer}/jwks", file)


@pytest.fixture
def foreign(served: Served, node_program: Path, foreign_clients: Path) -> Foreign:
    return Foreign(node_program, foreign_clients, served)


def revoke(served: Served, token: str) -> None:
    form = {
        "token": token,
        "client_assertion_type": client_assertion.ASSERTION_TYPE,
        "client_assertion": served.assertion(),
    }
    assert served.ask("/revoke", form).status_code == 200


def test_a_foreign_library_sees_that_a_token_is_valid_and_after_its_revocation_that_it_is_not(
    served: Served, foreign: Foreign
) -> None:
    token, other = served.token(), served.token()
    before = foreign.read(token)
    assert (before["status"], before["type"], before["ttl"]) == (VALID, status_list.MEDIA_TYPE, 30)
    assert before["size"] == 131_072
    revoke(served, token)
    deadline = time.monotonic() + 20
    while (found := foreign.read(token)["status"]) == VALID and time.monotonic() < deadline:
        pass
    assert found == INVALID
    assert foreign.read(other)["status"] == VALID


def test_tokens_of_both_processes_have_places_of_their_own(served: Served) -> None:
    tokens = [served.token() for _ in range(30)]
    places = [status_list.reference(jws.parse(token).claims()) for token in tokens]
    assert None not in places
    assert len(set(places)) == 30


def test_lists_that_the_foreign_library_writes_are_read_alike(foreign: Foreign) -> None:
    statuses = [[1, [1, 0, 0, 1, 1, 1, 0, 1] * 9], [2, [1, 2, 0, 3] * 7], [4, [0, 15, 7, 1]], [8, [0, 255, 128, 3, 9]]]
    made = foreign.run("status_lists.mjs", "make", foreign.packages, json.dumps(statuses))["written"]
    assert [one["values"] for one in made] == [values for _, values in statuses]
    for one in made:
        found = StatusList("", one["bits"], status_list.unpack(one["lst"]), 0)
        assert [found.status(place) for place in range(len(one["values"]))] == one["values"]


@pytest.mark.parametrize("active", [True, False])
def test_a_foreign_library_takes_a_signed_introspection_answer(served: Served, foreign: Foreign, active: bool) -> None:
    token = served.token()
    if not active:
        revoke(served, token)
    file = served.folder / "introspected"
    file.write_text(token)
    told = foreign.run("signed_introspection.mjs", foreign.packages, served.issuer, served.api_file, file)
    assert told["active"] is active
    if not active:
        assert told == {"active": False}
