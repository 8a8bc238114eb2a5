"""The main job, end to end, with real processes: ``make demo``. A tick a step; exits 0 only if every step worked."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from demo.checks import StepFailed
from demo.parts import demo
from demo.steps import STEPS

NEXT = """
What to try next:
  make dev                                  a server of your own, with a demo API and a demo client
  docs/guides/protect-a-fastapi-app.md      from pip install to 200, 401 and 403 in your own application
  docs/guides/sign-users-in-to-a-web-application.md
                                            from pip install to a page that greets its user by name
  docs/guides/run-your-own-ca.md            certificates for servers and clients, renewed by themselves
  docs/guides/from-one-machine-to-three.md  several nodes on PostgreSQL, and one of them lost
  docs/architecture.md                      how it is built
"""


def main() -> int:
    """Run every step in order; the exit code."""
    tick, cross = ("✓", "✗") if (sys.stdout.encoding or "").lower().startswith("utf") else ("+", "x")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ostiary-demo-") as folder, demo(Path(folder)) as parts:
        for step in STEPS:
            try:
                told = step(parts)
            except (StepFailed, KeyError, OSError) as error:
                print(f"{cross} {(step.__doc__ or step.__name__).splitlines()[0]}\n  {error}", file=sys.stderr)
                return 1
            print(
                f"{tick} {(step.__doc__ or step.__name__).splitlines()[0]}" + (f"\n    {told}" if told else ""),
                flush=True,
            )
    print(f"\nAll {len(STEPS)} steps in {time.monotonic() - began:.1f} s.\n{NEXT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
