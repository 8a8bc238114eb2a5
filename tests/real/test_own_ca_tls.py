"""``ostiary serve`` with certificates of its own CA, on both addresses."""

from __future__ import annotations

import json
import signal
import ssl
from pathlib import Path

import httpx2
import pytest

from tests.real.loading import Callers
from tests.real.served import Served
from tests.real.test_tls_reload import _shown, _wait_until
from tests.real_parts.ports import free_port

pytestmark = pytest.mark.real


def own_ca(folder: Path, workers: int = 1) -> tuple[Served, int]:
    """An installation with a CA, not served yet, and the port for clients with certificates."""
    port = free_port()
    mtls = [f"port = {port}", f'public_url = "https://localhost:{port}"']
    served = Served(
        folder,
        workers,
        settings={"server": ["behind_proxy = false", "tls_from_own_ca = true"], "mtls": mtls},
    )
    served.ostiary("ca", "init", "--name", "Example", "--permit-dns", "localhost")
    served.trust = ssl.create_default_context(cafile=str(folder / "root.pem"))
    served.certificate = (folder / "root.pem", folder / "root-key.pem")  # that it is reached by https
    return served, port


@pytest.mark.parametrize("workers", [1, 2])
def test_serve_gets_its_certificates_and_renews_them_under_load(tmp_path: Path, workers: int) -> None:
    served, port = own_ca(tmp_path, workers)
    callers = Callers(served, count=4)
    with served.run() as process:
        callers.start()
        callers.wait_for(20)
        before = {_shown(served) for _ in range(12)}
        process.send_signal(signal.SIGHUP)
        _wait_until(lambda: not before & {_shown(served) for _ in range(12)})
        callers.wait_for(len(callers.answered) + 20)
        callers.end()
        assert (callers.lost, callers.refused) == ([], [])
        alias = httpx2.get(
            f"https://localhost:{port}/.well-known/openid-configuration", verify=served.trust or True, trust_env=False
        )
        assert alias.json()["mtls_endpoint_aliases"]["token_endpoint"] == f"https://localhost:{port}/token"
        assert process.stop() == 0
        assert "Traceback" not in process.output
    rows = json.loads(served.ostiary("cert", "list", "--format", "json"))
    # Each worker one for each address and each time; the process that keeps house has none.
    assert [row["identities"] for row in rows] == [["dns:localhost"]] * (len(rows))
    assert len(rows) == 2 * workers


def test_serve_without_a_ca_says_how_to_make_one(tmp_path: Path) -> None:
    served = Served(tmp_path, settings={"server": ["behind_proxy = false", "tls_from_own_ca = true"]})
    with served.start() as process:
        assert process.wait() != 0
        assert "ostiary ca init" in process.output
