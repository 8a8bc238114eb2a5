"""SoftHSM2: a token by PKCS #11 whose keys stand in files; each has a folder of its own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.real_parts import MissingPart
from tests.real_parts.system_packages import system_program

PIN = "7-pelican-3"
_MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so")


def module() -> Path:
    """The PKCS #11 module.

    Raises:
        MissingPart: the package brought the program and not the module.
    """
    found = next((path for path in map(Path, _MODULES) if path.exists()), None)
    if found is None:
        raise MissingPart("The real part libsofthsm2.so is missing: install the package softhsm2.")
    return found


class SoftHsm:
    """A folder of tokens; ``environment`` leads the module to it."""

    def __init__(self, folder: Path) -> None:
        self.module = module()
        self.folder = folder / "tokens"
        self.folder.mkdir()
        configuration = folder / "softhsm2.conf"
        configuration.write_text(
            f"directories.tokendir = {self.folder}\nobjectstore.backend = file\nlog.level = ERROR\n"
        )
        self.environment = {"SOFTHSM2_CONF": str(configuration)}

    def make_token(self, label: str, pin: str = PIN) -> None:
        """An initialized token with a user PIN."""
        command = [system_program("softhsm2-util"), "--init-token", "--free", "--label", label]
        done = [*command, "--pin", pin, "--so-pin", "the-officer-1"]
        subprocess.run(done, check=True, capture_output=True, env={**os.environ, **self.environment})

    @contextmanager
    def removed(self) -> Iterator[None]:
        """The tokens are gone meanwhile."""
        aside = self.folder.with_name("aside")
        shutil.move(self.folder, aside)
        self.folder.mkdir()
        try:
            yield
        finally:
            self.folder.rmdir()
            shutil.move(aside, self.folder)
