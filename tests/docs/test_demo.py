"""``make demo`` as a reader runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.real
def test_the_demo_ticks_every_step_and_exits_0() -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "demo"], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stdout.count("✓ ") >= 27
    for told in (
        "insufficient_user_authentication",
        "the same successor",
        "The user signs out",
        "ms after the server had said that it is revoked; the API asked the server 0 times meanwhile",
    ):
        assert told in finished.stdout
    assert "✗ " not in finished.stdout.replace("✗ signature", "")
