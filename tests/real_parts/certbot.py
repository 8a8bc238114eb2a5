"""certbot, pinned by hash in requirements/certbot.txt, in an environment of its own."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.real_parts import MissingPart
from tests.real_parts.scratch import CHECKOUT, fingerprint, scratch

PINS = CHECKOUT / "requirements" / "certbot.txt"


def fetch_certbot() -> Path:
    """Make the environment unless that was done before; return its folder.

    Raises:
        MissingPart: pip could not bring it.
    """
    folder = _folder()
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _make(folder)
    return folder


def certbot() -> Path:
    """Return the path of the program.

    Raises:
        MissingPart: it was not fetched.
    """
    found = _folder() / "bin" / "certbot"
    if not (_folder() / "done").exists():
        raise MissingPart("The real part certbot is missing: run `make real-parts` to fetch it.")
    return found


def _folder() -> Path:
    return scratch() / f"certbot-{fingerprint(PINS)}"


def _make(folder: Path) -> None:
    # An environment cannot be moved, so it is made in its place and marked when it is whole.
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([*pip, "--only-binary", ":all:", "--require-hashes", "--requirement", str(PINS)], check=True)
    except subprocess.CalledProcessError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise MissingPart("pip could not bring certbot.") from error
    (folder / "done").touch()
