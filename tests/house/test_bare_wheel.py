"""The wheel, installed alone, serves an API and a client without a server; a missing extra is one sentence."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.house.bare_environment import BareEnvironment, build_wheel

#: What stands above the line of docs/architecture.md.
BASE = ("errors", "extras", "trace", "trace_sinks", "protocol", "fetching", "replay", "resource_server", "client")
#: Modules above the line that need more -> the extra that brings it.
SHELLS = {
    **{f"resource_server.{shell}": shell for shell in ("fastapi", "starlette", "flask", "django", "prometheus")},
    "replay.redis": "redis",
    "resource_server.prometheus": "prometheus",
}
SERVER_PACKAGES = (
    *("alembic", "django", "fastapi", "flask", "prometheus_client", "psycopg", "pydantic", "pydantic_settings"),
    *("rich", "sqlalchemy", "starlette", "structlog", "typer", "uvicorn", "uvloop"),
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> BareEnvironment:
    return BareEnvironment(tmp_path_factory.mktemp("bare") / "environment", wheel)


@pytest.fixture(scope="module")
def with_cli(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> BareEnvironment:
    return BareEnvironment(tmp_path_factory.mktemp("cli") / "environment", wheel, extras=["cli"])


def test_the_wheel_ships_its_types_and_licence_and_no_tests(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    assert "ostiary/py.typed" in names
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"ostiary"}


def test_a_bare_install_has_no_server_package(bare: BareEnvironment) -> None:
    script = f"import importlib.util as u; print([n for n in {SERVER_PACKAGES!r} if u.find_spec(n)])"
    assert bare.run("python", "-c", script).stdout == "[]\n"


def test_the_libraries_for_apis_and_clients_import_without_a_server(bare: BareEnvironment) -> None:
    result = bare.run("python", "-c", "import ostiary.resource_server, ostiary.client")
    assert (result.returncode, result.stderr) == (0, "")


def test_every_module_above_the_line_imports_without_a_server(bare: BareEnvironment, wheel: Path) -> None:
    modules = [name for name in _modules(wheel) if _is_base(name)]
    assert modules
    script = f"import importlib\nfor name in {modules!r}: importlib.import_module(name)"
    result = bare.run("python", "-c", script)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(("shell", "extra"), SHELLS.items())
def test_a_framework_that_is_missing_is_named_by_its_extra(bare: BareEnvironment, shell: str, extra: str) -> None:
    result = bare.run("python", "-c", f"import ostiary.{shell}")
    assert result.returncode == 1
    sentence = f'This needs the extra "{extra}": pip install "ostiary[{extra}]"'
    assert result.stderr.splitlines()[-1] == f"ostiary.extras.MissingExtra: {sentence}"


@pytest.mark.parametrize("command", [["key", "next"], ["token", "get"], ["serve"]])
def test_the_command_without_its_extra_says_so_in_one_sentence(bare: BareEnvironment, command: list[str]) -> None:
    result = bare.run("ostiary", *command)
    assert result.returncode != 0
    assert result.stderr.splitlines() == ['This needs the extra "cli": pip install "ostiary[cli]"']


@pytest.mark.parametrize("command", ["token", "curl", "login"])
def test_the_commands_of_a_client_need_no_server(with_cli: BareEnvironment, command: str) -> None:
    result = with_cli.run("ostiary", command, "--help")
    assert result.returncode == 0, result.stderr
    assert "Usage" in result.stdout


@pytest.mark.parametrize("command", ["serve", "dev"])
def test_a_command_of_the_server_names_the_extra_server(with_cli: BareEnvironment, command: str) -> None:
    result = with_cli.run("ostiary", command)
    assert result.returncode != 0
    assert result.stderr.splitlines() == ['This needs the extra "server": pip install "ostiary[server]"']


def _modules(wheel: Path) -> list[str]:
    files = [name for name in ZipFile(wheel).namelist() if name.endswith(".py")]
    return [name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in files]


def _is_base(module: str) -> bool:
    parts = module.split(".")
    # The pytest plugin is loaded by pytest alone, which is there then.
    needs_more = ".".join(parts[1:]) in {*SHELLS, "resource_server.testing"}
    return len(parts) > 1 and parts[1] in BASE and not needs_more
