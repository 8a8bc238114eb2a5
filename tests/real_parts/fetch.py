"""Fetch every real part before the tests start: ``python -m tests.real_parts.fetch``."""

import sys

from tests.real_parts import MissingPart
from tests.real_parts.certbot import fetch_certbot
from tests.real_parts.node import BENCH, FOREIGN_CLIENTS, locked_packages
from tests.real_parts.system_packages import fetch_system_packages
from tests.real_parts.wheels import fetch_wheels


def main() -> int:
    """Fetch what is missing; return 1 with one sentence if something cannot be had."""
    try:
        fetch_system_packages()
        fetch_wheels()
        fetch_certbot()
        locked_packages(FOREIGN_CLIENTS)
        locked_packages(BENCH)
    except (MissingPart, PermissionError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
