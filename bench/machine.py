"""What the machine says about a run: which core a program may use, its CPU time, its memory, what else is going on."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
SERVER_CORE = 0
GENERATOR_CORE = 1


def on_core(core: int | None) -> list[str]:
    """The words before a command that keep it on one core; none where there is no ``taskset`` or only one core."""
    taskset = shutil.which("taskset")
    if core is None or taskset is None or (os.cpu_count() or 1) <= core:
        return []
    return [taskset, "--cpu-list", str(core)]


def processes_of(group: int) -> list[int]:
    """The ids of the processes of a process group and of the sessions below it (workers have their own)."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            fields = _stat(int(folder.name))
            if fields is not None:
                children.setdefault(int(fields[1]), []).append(int(folder.name))
    found, waiting = [], [group]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of the program and its descendants, in seconds (to a hundredth)."""
    ticks = 0
    for member in processes_of(pid):
        fields = _stat(member)
        if fields is not None:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / TICK


def _stat(pid: int) -> list[str] | None:
    """The fields of proc(5) ``stat`` from the third on; None once the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


@dataclass(frozen=True, slots=True)
class Memory:
    """Megabytes. total: PSS over all processes of a program; each: PSS of one; peaks: the highest RSS of each."""

    total: float
    each: tuple[float, ...]
    peaks: tuple[float, ...]


def memory(pid: int) -> Memory:
    """What the program and its descendants hold now."""
    each, peaks = [], []
    for member in processes_of(pid):
        try:
            rollup = Path(f"/proc/{member}/smaps_rollup").read_text()
            status = Path(f"/proc/{member}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        each.append(_megabytes(rollup, "Pss:"))
        peaks.append(_megabytes(status, "VmHWM:"))
    return Memory(sum(each), tuple(each), tuple(peaks))


def _megabytes(text: str, name: str) -> float:
    for line in text.splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    return 0.0


def description(node: Path | None) -> str:
    """One line about the machine and the versions."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout if node else ""
    return (
        f"{os.cpu_count()} cores, load before the run {load}; Python {platform.python_version()}"
        + (f", Node {version.strip()}" if version else "")
        + f", Linux {platform.release().split('-', 1)[0]}"
    )
