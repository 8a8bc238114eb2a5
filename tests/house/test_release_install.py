"""What a user does: pip takes the released wheel, with an extra, into an empty environment."""

import subprocess
import venv
from pathlib import Path

import pytest

from tests.house.bare_environment import build_wheel


@pytest.mark.real
@pytest.mark.parametrize(
    ("requirement", "script"),
    [
        ("{wheel}", "import ostiary.resource_server, ostiary.client"),
        ("{wheel}[fastapi]", "import ostiary.resource_server.fastapi"),
        ("{wheel}[flask,django]", "import ostiary.resource_server.flask, ostiary.resource_server.django"),
        ("{wheel}[server]", "import ostiary.app"),
    ],
)
def test_pip_installs_the_wheel_with_what_it_needs(tmp_path: Path, requirement: str, script: str) -> None:
    wheel = build_wheel(tmp_path)
    venv.create(tmp_path / "environment", with_pip=True, symlinks=True)
    python = tmp_path / "environment" / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    subprocess.run([*pip, requirement.format(wheel=wheel)], check=True)
    result = subprocess.run([python, "-I", "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
