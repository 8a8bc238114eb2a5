"""The benchmark runs in its short form and tells every figure."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.figures import noise_of, paired_ratio
from tests.real_parts.scratch import CHECKOUT


@pytest.mark.real
def test_the_short_form_tells_every_figure_of_its_goals(tmp_path: Path) -> None:
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "bench",
        "--quick",
        "--json",
        tmp_path / "b.json",
        "--markdown",
        tmp_path / "b.md",
    ]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads((tmp_path / "b.json").read_text())["figures"]
    goals = [figure["goal"] for figure in figures if figure["goal"]]
    assert goals == [
        "at most 1.25x",
        "at least 10x faster",
        "at most 1.05x",
        "at most 1.05x",
        "p99 at most 50 ms",
        "p99 at most 50 ms",
        "0",
        "at least 2.5x",
        "at least 2.5x",
        "at least 2.5x",
        "at most 150 MB",
        *["at most 1.5x"] * 12,
    ]
    assert all(figure["verdict"] in ("met", "missed") for figure in figures if figure["goal"])
    told = [figure["name"].split(":")[0] for figure in figures]
    users = ["code exchanges/s", "refreshes/s", "userinfo/s", "password sign-ins/s"]
    assert [name for name in told if name in users] == users
    assert [name for name in told if name in ("certificates issued/s", "OCSP answers/s")] == [
        "certificates issued/s",
        "OCSP answers/s",
    ]
    # Each number of nodes beside the peer, and two and three beside one.
    on_nodes = [name.split(" on ")[0] for name in told if " node" in name]
    assert on_nodes == ["tokens/s"] * 5 + ["introspections/s"] * 5
    kinds = ("token", "introspection", "revocation")
    sizes = [f"{kind} request, {part}" for kind in kinds for part in ("p50", "p99")]
    for database in ("SQLite", "PostgreSQL"):
        assert [name for name in told if " request, " in name and database in name] == [
            f"{size} ({database})" for size in sizes
        ]
    assert told.count("p99 of a token while 50 sign-ins hash") == 2
    assert (tmp_path / "b.md").read_text().count("\n| ") == len(figures) + 1


def test_noise_is_the_step_between_neighbouring_rounds_of_the_same() -> None:
    assert noise_of([100.0, 110.0, 110.0], [200.0, 180.0]) == pytest.approx(0.1)
    assert noise_of([100.0]) is None


def test_a_ratio_is_taken_within_each_round() -> None:
    # The machine halved its speed in the second round, for both.
    assert paired_ratio([300.0, 150.0, 290.0], [100.0, 50.0, 100.0]) == 3.0
