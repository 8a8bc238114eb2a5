"""What `ostiary serve` says at its start, as a person runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ostiary.key_management.key_encryption_key import create_key_encryption_key
from ostiary.serving.listeners import bind


@pytest.mark.parametrize(("audit", "warned"), [("", True), ('[audit]\nheads_file = "heads.jsonl"\n', False)])
def test_serve_says_at_its_start_that_the_audit_log_has_no_witness(tmp_path: Path, audit: str, warned: bool) -> None:
    """The address is taken, so that the start ends right after its first words."""
    create_key_encryption_key(tmp_path / "kek")
    [taken] = bind("127.0.0.1", 0)
    (tmp_path / "ostiary.toml").write_text(
        'issuer = "https://auth.example.com"\n[keys]\nkey_encryption_key_file = "kek"\n'
        f'[server]\nhost = "127.0.0.1"\nport = {taken.getsockname()[1]}\n{audit}'
    )
    command = [sys.executable, "-m", "ostiary", "serve"]
    with taken:
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode != 0
    assert "cannot listen" in ran.stderr
    assert ("Warning: There is no audit.heads_file" in ran.stderr) == warned
