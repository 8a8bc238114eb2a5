"""The client and its commands carry no server."""

from __future__ import annotations

import subprocess
import sys

import pytest

SERVER = ("sqlalchemy", "alembic", "starlette", "fastapi", "uvicorn", "pydantic_settings", "structlog", "psycopg")


def imported(statement: str, *unwanted: str) -> str:
    code = f"import sys; {statement}; print([name for name in {unwanted!r} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("module", ["ostiary.client", "ostiary.client.next_key"])
def test_client_library_imports_nothing_of_the_server(module: str) -> None:
    ours = ("ostiary.storage", "ostiary.model")
    assert imported(f"import {module}", *SERVER, *ours, "pydantic", "typer", "rich") == "[]"


def test_output_of_a_servers_command_brings_no_http_client() -> None:
    assert imported("import ostiary.cli.output", "httpx2", "ostiary.client") == "[]"


@pytest.mark.parametrize("module", ["token", "key", "curl", "login", "output"])
def test_clients_commands_import_nothing_of_the_server(module: str) -> None:
    ours = ("ostiary.storage", "ostiary.model", "ostiary.settings", "ostiary.authorization_server")
    assert imported(f"import ostiary.cli.{module}", *SERVER, *ours) == "[]"


def test_overview_imports_no_noun_and_no_extra() -> None:
    statement = "import ostiary.cli; ostiary.cli.overview()"
    assert imported(statement, *SERVER, "typer", "rich", "httpx2", "ostiary.cli.token", "ostiary.cli.dev") == "[]"
