"""``python -m chaos``: everything started, loaded, broken and mended; exits 0 only if nothing answered is lost."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from chaos import cluster, faults, verdict
from chaos.ledger import Ledger
from chaos.load import Load


def run(broken: list[faults.Fault], *, quiet: float = 4.0) -> tuple[Ledger, verdict.Verdict]:
    """Play the faults under load; quiet: seconds of load before the first and after the last."""
    with tempfile.TemporaryDirectory(prefix="ostiary-chaos-") as folder, cluster.running(Path(folder)) as parts:
        ledger = Ledger()
        load = Load(parts, ledger)
        began = time.monotonic()

        def tell(what: str) -> None:
            print(f"{time.monotonic() - began:6.1f} s  {what}", flush=True)

        tell(f"{len(parts.nodes)} nodes, {len(parts.apis)} APIs, a database with its standby, and a Valkey are loaded")
        load.start()
        time.sleep(quiet)
        faults.play(parts, broken, tell)
        tell("everything is mended")
        time.sleep(quiet)
        load.end()
        tell("what was answered is compared with what is there")
        return ledger, verdict.judge(parts, ledger, parts.database)


def main() -> int:
    """Two minutes of faults, or some of them in half a minute; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--short", action="store_true", help="some of the faults, in less than a minute")
    short = parser.parse_args().short
    ledger, found = run(faults.short() if short else faults.two_minutes(), quiet=2.0 if short else 6.0)
    print("\n" + verdict.table(ledger, found))
    return 0 if found.good else 1


if __name__ == "__main__":
    sys.exit(main())
