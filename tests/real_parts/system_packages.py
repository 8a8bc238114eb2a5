"""The parts that come from the operating system's packages: fetched by apt-get where that is possible."""

import os
import shutil
import subprocess

from tests.real_parts import MissingPart

#: program -> the Debian package that has it
PACKAGES = {
    "chromium": "chromium",
    "curl": "curl",
    "lego": "lego",
    "nginx": "nginx",
    "openssl": "openssl",
    "pgbouncer": "pgbouncer",
    "softhsm2-util": "softhsm2",
    "testssl": "testssl.sh",
}


def fetch_system_packages() -> None:
    """Install what is missing with apt-get.

    Raises:
        MissingPart: a program is missing and apt-get cannot be used or did not bring it; names the packages.
    """
    missing = sorted(package for name, package in PACKAGES.items() if shutil.which(name) is None)
    if not missing:
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise MissingPart(f"Install these packages, which the real tests need: {' '.join(missing)}.")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
        subprocess.run(install, check=True, env=environment)
    except subprocess.CalledProcessError as error:
        raise MissingPart(f"apt-get could not install these packages: {' '.join(missing)}.") from error


def system_program(name: str) -> str:
    """Return the path of a program of the system.

    Raises:
        MissingPart: it is not there; names its package.
    """
    found = shutil.which(name)
    if found is None:
        raise MissingPart(f"The real part {name} is missing: install the package {PACKAGES.get(name, name)}.")
    return found
