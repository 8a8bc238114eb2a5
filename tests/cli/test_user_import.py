"""``ostiary user import``: what is made, what is refused and reported, and that it can be run again."""

from __future__ import annotations

import io
import json
import os
import pty
import sys
from pathlib import Path
from typing import Any

import pytest

from ostiary.admin import user_import
from ostiary.admin.user_commands import MAX_BATCH
from ostiary.errors import Unavailable
from tests.cli.operator import Operator
from tests.cli.operator_fixture import operator

__all__ = ["operator"]

BCRYPT = "$2b$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"
DJANGO = "pbkdf2_sha256$1000$salt$" + "A" * 43 + "="
PHC = "$pbkdf2-sha256$i=1000,l=32$c2FsdHNhbHQ$" + "A" * 43
ARGON2 = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$" + "A" * 43


def file_of(folder: Path, *lines: Any) -> str:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / "users.jsonl").write_text(text + "\n")
    return "users.jsonl"


def report_of(folder: Path, name: str = "report.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


@pytest.mark.parametrize("encoded", [BCRYPT, DJANGO, PHC, ARGON2])
def test_hashes_of_the_field_are_taken(operator: Operator, encoded: str) -> None:
    file = file_of(operator.folder, {"username": "ada", "password_hash": encoded})
    assert operator.done("user", "import", file) == {"made": 1, "there": 0, "refused": 0}
    assert [row["kind"] for row in operator.done("user", "factors", "list", "ada")] == ["password"]


def test_what_is_refused_is_reported_line_by_line_and_the_rest_is_made(operator: Operator) -> None:
    lines = [
        {"username": "ada", "email": "ada@example.com", "email_verified": True, "name": "Ada", "password_hash": BCRYPT},
        "this is no JSON",
        "",
        {"username": "bob", "password_hash": "plain text"},
        '{"username": "carol", "username": "mallory"}',
        ["dave"],
        {"username": "ADA"},
        "   ",
        {"username": "eve", "is_admin": True},
        {"username": "x" * 70_000},
        {"username": "frank"},
    ]
    outcome = operator.run(
        "user", "import", file_of(operator.folder, *lines), "--report", "report.jsonl", "--format", "json"
    )
    assert outcome.code == 1
    assert json.loads(outcome.out) == {"made": 2, "there": 1, "refused": 6, "report": "report.jsonl"}
    assert "Next: mend the lines that report.jsonl names" in outcome.err
    report = report_of(operator.folder)
    assert [row["line"] for row in report] == [2, 4, 5, 6, 9, 10]
    assert [row["username"] for row in report] == ["", "bob", "", "", "eve", ""]
    assert all(row["reason"] for row in report)
    assert (operator.folder / "report.jsonl").stat().st_mode & 0o777 == 0o600
    for secret in ("plain text", BCRYPT):
        assert secret not in outcome.out + outcome.err + (operator.folder / "report.jsonl").read_text()
    assert {row["username"] for row in operator.done("user", "list")} == {"ada", "frank"}


def test_running_it_again_changes_nothing(operator: Operator) -> None:
    file = file_of(operator.folder, *({"username": f"user-{number}"} for number in range(5)))
    assert operator.done("user", "import", file) == {"made": 5, "there": 0, "refused": 0}
    before = operator.done("user", "list")
    assert operator.done("user", "import", file) == {"made": 0, "there": 5, "refused": 0}
    assert operator.done("user", "list") == before
    assert operator.tags().count("user:created") == 5


def test_what_broke_off_is_taken_up_again(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is one unit of work: of the one that failed nothing is there, those before it stay."""
    file = file_of(operator.folder, *({"username": f"user-{number}"} for number in range(2 * MAX_BATCH + 1)))
    import_users, batches = user_import.import_users, []

    async def failing(*arguments: Any) -> Any:
        batches.append(arguments)
        if len(batches) == 2:
            raise Unavailable("storage", "the disk is full")
        return await import_users(*arguments)

    monkeypatch.setattr(user_import, "import_users", failing)
    operator.refused(4, [f"up to {MAX_BATCH} are done", "storage"], "user", "import", file)
    assert len(operator.done("user", "list")) == MAX_BATCH
    assert operator.done("user", "import", file) == {"made": MAX_BATCH + 1, "there": MAX_BATCH, "refused": 0}


def test_without_a_report_a_few_are_told(operator: Operator) -> None:
    outcome = operator.run("user", "import", file_of(operator.folder, *(["nonsense"] * 15)))
    assert outcome.code == 1
    assert outcome.err.count("nonsense") == 0
    assert "line 10:" in outcome.err
    assert "line 11:" not in outcome.err
    assert "5 more were refused: --report" in outcome.err


def test_a_report_is_never_written_over(operator: Operator) -> None:
    (operator.folder / "report.jsonl").write_text("mine")
    file = file_of(operator.folder, {"username": "ada"})
    operator.refused(3, ["exists already"], "user", "import", file, "--report", "report.jsonl")
    assert (operator.folder / "report.jsonl").read_text() == "mine"
    assert operator.done("user", "list") == []
    operator.refused(3, ["cannot be read"], "user", "import", "absent.jsonl")


def test_users_come_by_standard_input(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"username": "ada"}\n{"username": "bob"}')))
    assert operator.done("user", "import", "-") == {"made": 2, "there": 0, "refused": 0}


def test_progress_is_shown_on_a_terminal_alone(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    file = file_of(operator.folder, *({"username": f"user-{number}"} for number in range(3)))
    assert "Importing" not in operator.run("user", "import", file).err
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        operator.run("user", "import", file)
    os.set_blocking(leader, False)
    shown = os.read(leader, 100_000).decode()
    os.close(leader)
    assert "Importing" in shown
