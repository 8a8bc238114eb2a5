"""The folder that the real parts are unpacked into: outside the checkout and outside every virtual environment."""

import hashlib
import os
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def scratch() -> Path:
    """Return the folder for real parts, made if need be and owned by the present user.

    A server started by root runs as an unprivileged user, who cannot enter root's home; so for root the folder lies
    below the system's temporary directory, for everyone else below the cache of the user.
    """
    chosen = os.environ.get("OSTIARY_REAL_PARTS")
    if chosen:
        folder = Path(chosen)
    elif os.geteuid() == 0:
        folder = Path(tempfile.gettempdir()) / "ostiary-real-parts"
    else:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ostiary-real-parts"
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    # Below a shared temporary directory somebody else could have been there first, with programs of their own.
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to another user; set OSTIARY_REAL_PARTS to a folder of your own.")
    return folder


def fingerprint(*files: Path) -> str:
    """Return a short name for the contents of ``files``, so that a changed pin is unpacked beside the old one."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]
