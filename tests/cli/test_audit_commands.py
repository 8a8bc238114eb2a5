"""`ostiary audit` and `ostiary explain` on a local installation, as a person runs them."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from ostiary.cli import main
from ostiary.storage.sqlite import SqliteStorage
from ostiary.trace import Check, TraceRecord
from ostiary.trace_sinks import FileSink
from tests.audit.log import Log

TRACE = "tr_abcdefghijklmnopqrstuv"
RECORD = TraceRecord(
    TRACE,
    1_800_000_000.0,
    "token",
    "refused",
    "client authentication failed",
    (
        Check("format", True),
        Check("signature", True, "by the key orders-1", "a signature by that key"),
        Check(
            "audience", False, "https://auth.example.com/token", "https://auth.example.com", "send the issuer as aud"
        ),
    ),
    {"client_id": "orders-client", "method": "POST"},
)
STORY = f"""\
{TRACE}: token refused by the authorization server at 2027-01-15 08:00:00 UTC
The caller was told: client authentication failed
  client_id: orders-client
  method: POST

✓ format
✓ signature  by the key orders-1
✗ audience
             seen:     https://auth.example.com/token
             expected: https://auth.example.com
             mend:     send the issuer as aud
"""


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    for name in ("OSTIARY_CONFIG", "OSTIARY_TRACE_FILE"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str) -> Ran:
        with pytest.raises(SystemExit) as left:
            main(arguments)
        out, err = capsys.readouterr()
        return Ran(int(left.value.code or 0), out, err)

    return call


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """An installation beside its settings."""
    (tmp_path / "ostiary.toml").write_text(
        'issuer = "https://auth.example.com"\n[storage]\nurl = "sqlite:///ostiary.db"\n'
        '[audit]\nheads_file = "outside/heads"\n'
    )
    return Log(tmp_path)


def keep(log: Log, record: TraceRecord = RECORD, source: str = "server") -> None:
    async def add(storage: SqliteStorage) -> None:
        async with storage.write() as work:
            await work.traces.add(record, expires_at=2_000_000_000, source=source)

    log.run(add)


def test_a_refusal_is_explained_check_by_check(log: Log, run: Run) -> None:
    keep(log)
    ran = run("explain", TRACE)
    assert (ran.code, ran.out) == (0, STORY)
    assert "Next: send the issuer as aud" in ran.err


def test_a_trace_of_an_api_names_the_api(log: Log, run: Run) -> None:
    keep(log, source="api_orders")
    assert "refused by api_orders at" in run("explain", TRACE).out


def test_a_trace_is_explained_as_json(log: Log, run: Run) -> None:
    keep(log)
    explained = json.loads(run("explain", TRACE, "--format", "json").out)
    assert explained["source"] == "server"
    assert [check["passed"] for check in explained["checks"]] == [True, True, False]


def test_a_trace_file_needs_no_server(tmp_path: Path, run: Run) -> None:
    FileSink(tmp_path / "traces").record(RECORD)
    ran = run("explain", TRACE, "--trace-file", "traces")
    assert ran.code == 0
    assert "✗ audience" in ran.out


def test_explaining_from_a_file_imports_nothing_of_the_server(tmp_path: Path) -> None:
    FileSink(tmp_path / "traces").record(RECORD)
    script = (
        "import sys\n"
        "for name in ('sqlalchemy', 'alembic', 'pydantic_settings', 'uvicorn', 'starlette'): sys.modules[name] = None\n"
        f"from ostiary.cli import main; main(['explain', {TRACE!r}, '--trace-file', 'traces'])"
    )
    ran = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, "✗ audience" in ran.stdout) == (0, True), ran.stderr


def test_a_trace_file_may_be_named_by_the_environment(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    FileSink(tmp_path / "traces").record(RECORD)
    monkeypatch.setenv("OSTIARY_TRACE_FILE", str(tmp_path / "traces"))
    assert run("explain", TRACE).code == 0


def test_an_unknown_trace_is_a_clear_answer(log: Log, run: Run) -> None:
    ran = run("explain", "tr_unknown")
    assert (ran.code, ran.out) == (1, "")
    assert "There is no trace tr_unknown" in ran.err
    assert "older than 7 days" in ran.err
    assert "server's log" in ran.err
    assert "--trace-file" in ran.err


def test_an_unknown_trace_in_a_file_is_a_clear_answer(tmp_path: Path, run: Run) -> None:
    FileSink(tmp_path / "traces").record(RECORD)
    assert run("explain", "tr_unknown", "--trace-file", "traces").code == 1


def test_control_characters_of_a_trace_do_not_reach_the_terminal(log: Log, run: Run) -> None:
    keep(log, TraceRecord(TRACE, 1.0, "api", "refused", "\x1b[31mred", (), {}))
    assert "\x1b" not in run("explain", TRACE).out


def test_without_an_installation_the_mend_is_named(run: Run) -> None:
    ran = run("explain", TRACE)
    assert ran.code == 3
    assert "--config" in ran.err


def test_a_good_log_verifies_with_exit_code_0(log: Log, run: Run) -> None:
    log.fill(10)
    log.seal()
    ran = run("audit", "verify")
    assert ran.code == 0
    assert ran.out.startswith("✓ 10 rows in 3 sealed segments")


def test_a_tampered_log_is_told_with_exit_code_1(log: Log, run: Run) -> None:
    log.fill(10)
    log.seal()
    log.tamper("DELETE FROM audit_events WHERE number = 5")
    ran = run("audit", "verify")
    assert ran.code == 1
    assert "row_removed" in ran.out
    report = json.loads(run("audit", "verify", "--format", "json").out)
    assert (report["good"], report["findings"][0]["kind"]) == (False, "row_removed")


def test_a_copy_of_the_heads_can_be_named(log: Log, tmp_path: Path, run: Run) -> None:
    log.fill(10)
    log.seal()
    log.heads.rename(tmp_path / "copy")
    assert run("audit", "verify", "--heads", "copy").code == 0
    assert run("audit", "verify", "--heads", "missing").code == 3


def test_events_are_listed_by_what_is_asked(log: Log, run: Run) -> None:
    log.fill(5)
    listed = json.loads(run("audit", "list", "--since", "2027-01-15", "--target", "jti-3", "--format", "json").out)
    assert [(row["tag"], row["target"]) for row in listed] == [("token:refused", "jti-3")]


def test_the_newest_events_are_listed(log: Log, run: Run) -> None:
    log.fill(5)
    listed = json.loads(run("audit", "list", "--since", "2027-01-15", "--limit", "2", "--format", "json").out)
    assert [row["target"] for row in listed] == ["jti-3", "jti-4"]


def test_a_time_that_is_none_is_wrong_usage(log: Log, run: Run) -> None:
    assert run("audit", "list", "--since", "yesterday").code == 2


def test_personal_data_are_erased_by_command(log: Log, run: Run) -> None:
    log.fill(3)
    log.seal()
    assert "personal data of 3 rows" in run("audit", "erase", "--actor", "orders-client").err
    log.seal()
    assert log.verify().good
    assert log.ask("SELECT count(*) FROM audit_events WHERE personal IS NOT NULL") == [(0,)]


def test_an_erasure_of_everything_is_wrong_usage(log: Log, run: Run) -> None:
    assert run("audit", "erase").code == 2


def test_pruning_wants_a_retention(log: Log, run: Run) -> None:
    ran = run("audit", "prune")
    assert ran.code == 3
    assert "retention" in ran.err


def test_old_segments_are_pruned(log: Log, run: Run) -> None:
    log.now = 1_000_000_000
    log.fill(4)
    log.seal()
    assert "Dropped 4 rows of 1 segments" in run("audit", "prune", "--older-than", "30").err
    assert log.verify().dropped == 1
