"""Who may import whom: the contracts in pyproject.toml hold, and nothing stands outside of them."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house.repository import CHECKOUT, PACKAGE


def test_the_contracts_hold() -> None:
    result = _lint(CHECKOUT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("importer", "imported"),
    [("errors.py", "ostiary.trace"), ("trace.py", "ostiary.model"), ("model/__init__.py", "ostiary.storage.base")],
)
def test_an_upward_import_is_caught(tmp_path: Path, importer: str, imported: str) -> None:
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    package = shutil.copytree(PACKAGE, tmp_path / "src" / "ostiary", ignore=shutil.ignore_patterns("__pycache__"))
    with (package / importer).open("a") as file:
        file.write(f"\nimport {imported}\n")
    result = _lint(tmp_path)
    assert result.returncode == 1, result.stdout
    assert imported in result.stdout


def test_every_part_of_the_product_has_its_place_in_a_contract() -> None:
    contracts = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    named = " ".join(layer for contract in contracts for layer in contract["layers"])
    parts = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/*.py")}
    parts -= {"__init__", "__main__", "__pycache__", PACKAGE.name}
    places = {name.strip("()").split(".")[1] for name in named.split() if name.startswith(("ostiary.", "(ostiary."))}
    assert parts - places == set()


def _lint(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    path = {"PYTHONPATH": str(folder / "src"), "PATH": str(program.parent), "COLUMNS": "200"}
    return subprocess.run([program, "--no-cache"], cwd=folder, capture_output=True, text=True, env=path, check=False)
