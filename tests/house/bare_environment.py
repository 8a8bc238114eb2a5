"""An environment with the built wheel and nothing but the dependencies it declares; made without a network.

The dependencies are not installed but linked from the present environment: the closure of what the wheel's own
metadata asks for. What the metadata forgets is therefore missing, as it would be for a user.
"""

import subprocess
import sys
import venv
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path
from zipfile import Path as ZipPath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.repository import CHECKOUT


def build_wheel(target: Path) -> Path:
    """Build the project's wheel into ``target`` and return its path."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(target)]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
    (wheel,) = target.glob("*.whl")
    return wheel


class BareEnvironment:
    """A virtual environment with the wheel, its dependencies and those of the extras that are named."""

    def __init__(self, folder: Path, wheel: Path, *, extras: Iterable[str] = ()) -> None:
        venv.create(folder, symlinks=True)
        self.bin = folder / "bin"
        (site_packages,) = folder.glob("lib/python*/site-packages")
        metadata = ZipPath(wheel) / f"{'-'.join(wheel.name.split('-')[:2])}.dist-info"
        for found in _closure(PathDistribution(metadata), set(extras)):
            _link(found, site_packages)
        pip = [sys.executable, "-m", "pip", "--python", str(self.bin / "python"), "install", "--quiet"]
        offline = ["--disable-pip-version-check", "--no-deps", "--no-index", str(wheel)]
        subprocess.run([*pip, *offline], check=True, capture_output=True)

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a program of this environment, unaware of the one around it."""
        command: list[str | Path] = [self.bin / program, *arguments]
        environment = {"PATH": str(self.bin), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(self.bin)}
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=self.bin, check=False, timeout=60
        )


def _closure(root: Distribution, extras: set[str]) -> Iterator[Distribution]:
    seen: set[tuple[str, str]] = set()
    waiting = [(root, extra) for extra in ["", *extras]]
    while waiting:
        asking, extra = waiting.pop()
        for requirement in map(Requirement, asking.requires or []):
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
                continue
            for wanted in ["", *requirement.extras]:
                key = (canonicalize_name(requirement.name), wanted)
                if key not in seen:
                    seen.add(key)
                    found = distribution(requirement.name)
                    waiting.append((found, wanted))
                    yield found


def _link(found: Distribution, site_packages: Path) -> None:
    tops = {file.parts[0] for file in found.files or [] if file.parts[0] not in ("..", "__pycache__")}
    for top in tops:
        link = site_packages / top
        if not link.exists():
            link.symlink_to(Path(str(found.locate_file(top))))
