"""Where the project's own files are, for the tests that read them."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGE = CHECKOUT / "src" / "ostiary"


def own_files(*suffixes: str) -> Iterator[Path]:
    """Yield the files of the repository, tracked or about to be, that end in one of ``suffixes`` (or all)."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout
    for name in sorted(set(listed.split("\0")) - {""}):
        path = CHECKOUT / name
        if path.is_file() and (not suffixes or path.suffix in suffixes):
            yield path


def short(path: Path) -> str:
    """Return the path as the repository writes it."""
    return str(path.relative_to(CHECKOUT))
