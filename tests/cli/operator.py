"""An operator at the command line, in a folder with an installation that no server has been started on yet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ostiary.cli import main

ORDERS = "https://orders.example.com"


class Outcome(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Operator:
    """``run`` runs one command; ``done`` expects it to succeed and gives its result."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def run(self, *arguments: str) -> Outcome:
        code: object = 0
        try:
            main(arguments)
        except SystemExit as ended:
            code = ended.code or 0
        captured = self._capsys.readouterr()
        return Outcome(int(str(code)), captured.out, captured.err)

    def done(self, *arguments: str) -> Any:
        outcome = self.run(*arguments, "--format", "json")
        assert outcome.code == 0, outcome.err
        assert "Next:" in outcome.err
        return outcome.json

    def refused(self, code: int, words: Sequence[str], *arguments: str) -> None:
        outcome = self.run(*arguments)
        assert outcome.code == code, outcome
        assert outcome.out == ""
        for word in words:
            assert word in outcome.err, outcome.err

    def tags(self) -> list[str]:
        return [row["tag"] for row in self.done("audit", "list", "--limit", "1000")]


def installation(folder: Path) -> None:
    """An ostiary.toml and its key-encryption key."""
    (folder / "ostiary.toml").write_text(
        'issuer = "https://auth.example.com"\n[keys]\nkey_encryption_key_file = "kek"\n[tokens]\nmax_life = 1200\n'
    )
