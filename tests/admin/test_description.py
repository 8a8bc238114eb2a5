"""The admin API does what its OpenAPI document says, whatever it is sent (schemathesis, against a running server)."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, checks

from ostiary.client import ClientAuth
from tests.real_parts.ports import free_port
from tests.real_parts.processes import Process

pytestmark = pytest.mark.real
EXAMPLES = 25


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of the admin API of a running server, and a token for all of it."""
    folder = tmp_path_factory.mktemp("described")
    port, management = free_port(), free_port()
    ports = ["--port", str(port), "--management-port", str(management)]
    command = [sys.executable, "-m", "ostiary"]
    with Process([*command, "dev", *ports], cwd=folder) as server:
        server.wait_for_line("Ostiary is ready")
        made = [*command, "admin", "bootstrap", "--generate", "admin.json"]
        subprocess.run(made, cwd=folder, check=True, capture_output=True)
        yield f"http://127.0.0.1:{management}/admin", _token(folder / "admin.json", f"http://localhost:{port}")


def _token(file: Path, issuer: str) -> str:
    sent: list[str] = []

    def remember(request: httpx2.Request) -> httpx2.Response:
        sent.append(request.headers["authorization"])
        return httpx2.Response(200)

    auth = ClientAuth.from_file(file, resource=f"{issuer}/admin", origins=["http://api.localhost"])
    mounts = {"http://api.localhost": httpx2.MockTransport(remember)}
    with httpx2.Client(auth=auth, mounts=mounts) as http:
        http.get("http://api.localhost/")
    return sent[0].removeprefix("Bearer ")


@pytest.fixture(scope="module")
def schema(admin: tuple[str, str]) -> Any:
    address, _ = admin
    checks.load_all_checks()
    found = schemathesis.openapi.from_url(f"{address}/openapi.json")
    found.config.update(base_url=address)
    return found


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_answers_are_as_described(schema: Any, admin: tuple[str, str], mode: GenerationMode) -> None:
    """No fault, no status, form or type beyond the document; no route without its guard.

    Data may fit the document and still be refused: that an API exists or a key is strong, no schema can say.
    """
    headers = {"Authorization": f"Bearer {admin[1]}"}
    excluded = [checks.CHECKS.get_one("positive_data_acceptance")]
    asked: set[str] = set()

    for result in schema.get_all_operations():
        operation = result.ok()

        @seed(1)
        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=operation.as_strategy(generation_mode=mode))
        def judge(case: Any) -> None:
            # A path with a line feed does not even reach the admin API: the management address has no such path.
            assume("\n" not in unquote("".join(map(str, (case.path_parameters or {}).values()))))
            asked.add(f"{case.method} {case.path}")
            case.call_and_validate(headers=headers, excluded_checks=excluded)

        with contextlib.suppress(Unsatisfiable):  # nothing about a route without parameters can be wrong
            judge()

    assert len(asked) >= 12
