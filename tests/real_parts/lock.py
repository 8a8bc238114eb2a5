"""Write the lock files of the Node packages anew: ``python -m tests.real_parts.lock`` (part of ``make lock``)."""

from tests.real_parts.node import BENCH, FOREIGN_CLIENTS, npm
from tests.real_parts.wheels import fetch_wheels


def main() -> None:
    """Resolve each package.json with our own npm; nothing is installed."""
    fetch_wheels()
    for folder in (FOREIGN_CLIENTS, BENCH):
        (folder / "package-lock.json").unlink(missing_ok=True)
        npm("install", "--package-lock-only", "--loglevel=error", cwd=folder)


if __name__ == "__main__":
    main()
