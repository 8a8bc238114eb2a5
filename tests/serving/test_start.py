"""What `ostiary serve` loads at its start: of the large libraries only those that every installation uses."""

import sys
from pathlib import Path

import httpx2
import pytest

from ostiary.key_management.key_encryption_key import create_key_encryption_key
from tests.real_parts.ports import free_port
from tests.real_parts.processes import Process

#: Each costs memory for the life of every worker, and serves what many installations do not have.
FOR_SOME = {
    "webauthn": "passkeys",
    "cbor2": "passkeys",
    "OpenSSL": "passkeys",
    "dns": "validations of ACME",
    "segno": "setting up one-time passwords",
    "pkcs11": "keys of a CA in a token",
    "psycopg": "storage on PostgreSQL",
    "fastapi": "the admin API",
}
CONFIGURATION = """
issuer = "https://auth.example.com"
[keys]
key_encryption_key_file = "kek"
[server]
host = "127.0.0.1"
port = {port}
behind_proxy = true
[management]
port = {management}
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The packages that a server has loaded when it is ready, over a database that stands already."""
    folder = tmp_path_factory.mktemp("serve")
    create_key_encryption_key(folder / "kek")
    (folder / "ostiary.toml").write_text(CONFIGURATION.format(port=free_port(), management=free_port()))
    _serve(folder)
    return {line.rsplit("|", 1)[1].strip().split(".")[0] for line in _serve(folder) if line.startswith("import time:")}


def _serve(folder: Path) -> list[str]:
    with Process([sys.executable, "-X", "importtime", "-m", "ostiary", "serve"], cwd=folder) as process:
        process.wait_for_line("Serving", seconds=60)
        return process.output.splitlines()


def test_the_measurement_sees_what_is_loaded(loaded: set[str]) -> None:
    assert {"ostiary", "uvicorn", "sqlalchemy"} <= loaded


@pytest.mark.parametrize("package", FOR_SOME)
def test_serve_starts_without_libraries_that_many_installations_never_use(loaded: set[str], package: str) -> None:
    assert package not in loaded, f"{package} is for {FOR_SOME[package]}: import it where that is done"


def test_serve_migrates_nothing_and_loads_no_alembic_where_the_schema_stands(loaded: set[str]) -> None:
    assert "alembic" not in loaded


_TELLS_WHAT_IS_FROZEN = """
import atexit, gc
from ostiary.cli import main
atexit.register(lambda: print("frozen:", gc.get_freeze_count(), "watched:", len(gc.get_objects()), flush=True))
main(["serve"])
"""


@pytest.mark.parametrize("asked", [False, True], ids=["as it started", "after the admin API was asked"])
def test_a_collection_of_garbage_does_not_walk_what_the_server_has_loaded(tmp_path: Path, asked: bool) -> None:
    create_key_encryption_key(tmp_path / "kek")
    management = free_port()
    (tmp_path / "ostiary.toml").write_text(CONFIGURATION.format(port=free_port(), management=management))
    with Process([sys.executable, "-c", _TELLS_WHAT_IS_FROZEN], cwd=tmp_path) as process:
        process.wait_for_line("Serving", seconds=60)
        if asked:
            assert httpx2.get(f"http://127.0.0.1:{management}/admin/clients").status_code == 401
        process.stop(seconds=30)
        words = process.wait_for_line("frozen:").split()
    frozen, watched = int(words[1]), int(words[3])
    assert frozen > 10 * watched
