"""Renews a certificate at two thirds of its life, replaces its files and tells whoever reads them.

The next key is made anew each time. Whatever goes wrong, the present certificate stays where it is, and a new try
follows, soon at first and then at longer intervals, always well before the end.
"""

from __future__ import annotations

import math
import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ostiary.client.certificate_file import CertificateFile
from ostiary.client.certificate_request import IssuedCertificate, new_key, renew
from ostiary.client.exchange import Shell
from ostiary.errors import ConfigurationError, OstiaryError

FIRST_PAUSE = 10.0  # seconds after a failure; doubled with each further one
LONGEST_PAUSE = 3600.0
HOOK_SECONDS = 60.0
_EARLIER = 0.05  # share of the life by which machines that began together are spread


@dataclass(slots=True)
class RenewalAgent:
    """file: what is renewed. reload: a program with its arguments, run after each renewal, without a shell.

    key: the kind of the next key (``certificate_request.new_key``). tell: called with a sentence for the log.
    shell: asks the issuer (default: that of the file, made anew each time, because roots change).
    clock: seconds since the epoch; sleep: waits that many seconds. spread: from a serial number, which is random, to a
    share between 0 and 1.
    """

    file: CertificateFile
    reload: Sequence[str] = ()
    key: str = "p256"
    shell: Shell | None = None
    tell: Callable[[str], None] = lambda _: None
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    spread: Callable[[int], float] = lambda serial: serial % 1000 / 1000
    _hook_due: float = field(default=math.inf, init=False)
    _hook_failures: int = field(default=0, init=False)

    def due_at(self, present: IssuedCertificate) -> float:
        """Two thirds through the life, a little earlier on some machines; seconds since the epoch."""
        leaf = present.leaf
        begin, end = leaf.not_valid_before_utc.timestamp(), leaf.not_valid_after_utc.timestamp()
        return begin + (end - begin) * (2 / 3 - _EARLIER * self.spread(leaf.serial_number))

    def is_due(self) -> bool:
        """Whether the certificate is two thirds through its life. Raises ConfigurationError: no good file."""
        return self.clock() >= self.due_at(self.file.load())

    def renew(self) -> IssuedCertificate:
        """Renew now. Raises what ``certificate_request.renew`` raises; the present files then stay as they are."""
        present = self.file.load()
        shell = self.shell or self.file.shell()
        made = shell.run(renew(present, new_key(self.key), clock=self.clock))
        self.file.save(made)
        self.run_hook()
        return made

    def run(self, rounds: int | None = None) -> None:
        """Renew whenever it is due, for ever, or as often as ``rounds``. Whoever puts another file there is followed.

        Raises ConfigurationError: no good file. Raises what the last try raised when the certificate ended meanwhile:
        it proves nothing any more, so no further try can help, and whoever supervises this is to see it.
        """
        self.mend()
        # A crash may have come between the last renewal and this. A timer (`is_due`) would reload at every turn.
        self.run_hook()
        failures, next_try = 0, 0.0
        while rounds is None or rounds > 0:
            present = self.file.load()
            renew_at = max(self.due_at(present), next_try)
            if (wait := min(renew_at, self._hook_due) - self.clock()) > 0:
                # In steps: the clock may be set, a machine may sleep, and somebody may put another file there.
                self.sleep(min(wait, LONGEST_PAUSE))
                continue
            if self._hook_due <= self.clock():
                self.run_hook()
                continue
            try:
                made, failures = self.renew(), 0
            except OstiaryError as error:
                if present.leaf.not_valid_after_utc.timestamp() <= self.clock():
                    raise
                failures += 1
                next_try = self.clock() + self._pause(present, failures)
                self.tell(f"not renewed: {error}; the next try follows")
                continue
            self.tell(f"renewed: serial {made.leaf.serial_number:x}, until {made.leaf.not_valid_after_utc:%F %T}Z")
            rounds = None if rounds is None else rounds - 1

    def mend(self) -> None:
        """Put right what a crash left behind, and tell whoever reads the files. Raises ConfigurationError."""
        present = self.file.load()
        self.file.sweep()
        if not self.file.is_whole(present):
            self.tell("the copies were behind; they are written anew")
            self.file.copy(present)
            self.run_hook()

    def run_hook(self) -> None:
        """Run the program that is to read the new files. A failure is told, and ``run`` tries again a while later."""
        problem = self._hook_problem() if self.reload else ""
        if not problem:
            self._hook_due, self._hook_failures = math.inf, 0
            return
        self._hook_due = self.clock() + min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**self._hook_failures)
        self._hook_failures += 1
        self.tell(f"the reload command {problem}")

    def _hook_problem(self) -> str:
        try:
            done = subprocess.run(list(self.reload), timeout=HOOK_SECONDS, capture_output=True, check=False)  # noqa: S603 - the operator's own command
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"failed: {error}"
        if not done.returncode:
            return ""
        return f"ended with {done.returncode}: {done.stderr.decode('utf-8', 'replace').strip()[-300:]}"

    def _pause(self, present: IssuedCertificate, failures: int) -> float:
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (failures - 1))
        left = present.leaf.not_valid_after_utc.timestamp() - self.clock()
        # Never so long that the end comes first.
        return max(1.0, min(pause, left / 4)) if left > 0 else pause


def command(text: str) -> list[str]:
    """A command line as program and arguments; no shell sees it. Raises ConfigurationError."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ConfigurationError(f"--reload {text!r} cannot be read: {error}") from None
