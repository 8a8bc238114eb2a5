"""The short form of ``make chaos``: nodes killed, cut off and standing still, and a fail-over, all under load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MUST_BE_NONE = (
    "lost acknowledged writes",
    "double redemptions",
    "revoked tokens admitted past the bound",
    "complaints of the audit log",
)


@pytest.fixture(scope="module")
def told() -> str:
    """What a short run printed; its last lines where it failed."""
    done = subprocess.run(
        [sys.executable, "-m", "chaos", "--short"], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.mark.parametrize("what", MUST_BE_NONE)
def test_under_faults_nothing_that_must_not_be_happens(told: str, what: str) -> None:
    [line] = [line for line in told.splitlines() if line.startswith(what)]
    assert line.split()[-1] == "0"


@pytest.mark.parametrize("kind", ["API call", "authorization", "code", "refresh", "revocation", "token"])
def test_the_load_was_a_load(told: str, kind: str) -> None:
    """Of nothing that was answered nothing can be lost."""
    [line] = [line for line in told.splitlines() if line.startswith(f"{kind} ")]
    assert int(line.split()[-4].replace(",", "")) > 0


def test_refresh_tokens_were_left_to_be_lost(told: str) -> None:
    """One of which anything is unknown is not judged, and after each fault there are such."""
    [line] = [line for line in told.splitlines() if line.startswith("used at the end")]
    assert int(line.split()[-1]) > 0
