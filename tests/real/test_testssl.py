"""testssl.sh finds nothing above "low" on ``ostiary serve``: a short look here, all it knows by ``make test-tls``."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.real.test_mtls_listener import Mtls
from tests.real_parts.system_packages import system_program

pytestmark = pytest.mark.real

SHORT = ["--protocols", "--standard", "--renegotiation", "--compression"]
GRAVE = {"MEDIUM", "HIGH", "CRITICAL", "FATAL"}

Findings = list[dict[str, str]]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Findings]]:
    """What was found at each listener, both looked at side by side."""
    mtls = Mtls(tmp_path_factory.mktemp("testssl"))
    with mtls.run(), ThreadPoolExecutor() as pool:
        ports = {"main": mtls.served.port, "mtls": mtls.port}
        looks = {name: pool.submit(_look, mtls.folder, port) for name, port in ports.items()}
        yield {name: look.result() for name, look in looks.items()}


def _look(folder: Path, port: int) -> Findings:
    report = folder / f"{port}.json"
    what = [] if os.environ.get("TESTSSL") == "whole" else SHORT
    subprocess.run(
        [
            system_program("testssl"), "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none",
            "--ip", "127.0.0.1", "--fast", "--add-ca", str(folder / "root.pem"), "--jsonfile", str(report), *what, f"https://localhost:{port}/jwks",
        ],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=900, check=True,
    )  # fmt: skip
    found: Findings = json.loads(report.read_text())
    return found


@pytest.mark.parametrize("listener", ["main", "mtls"])
def test_nothing_above_low_is_found(reports: dict[str, Findings], listener: str) -> None:
    assert [one for one in reports[listener] if one["severity"] in GRAVE] == []


@pytest.mark.parametrize("listener", ["main", "mtls"])
def test_it_has_looked_at_what_it_was_asked_for(reports: dict[str, Findings], listener: str) -> None:
    """A look that found nothing because it saw nothing would pass the test above."""
    found = {one["id"]: one["finding"] for one in reports[listener]}
    assert found["TLS1"].startswith("not offered")
    assert found["TLS1_1"].startswith("not offered")
    assert found["TLS1_2"].startswith("offered")
    assert found["TLS1_3"].startswith("offered")
    assert {"secure_renego", "CRIME_TLS", "cipherlist_AVERAGE", "cipherlist_STRONG"} <= set(found)
