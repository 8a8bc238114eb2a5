"""``ostiary dev``: ready at once, the first token, the same data the next time, a clean end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.real_parts.ports import free_port
from tests.real_parts.processes import Process

pytestmark = pytest.mark.real


def start(folder: Path, port: int, management_port: int) -> Process:
    ports = ["--port", str(port), "--management-port", str(management_port)]
    return Process(
        [sys.executable, "-m", "ostiary", "dev", "--directory", str(folder / ".ostiary"), *ports], cwd=folder
    )


def ostiary(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "ostiary", *arguments]
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


def first_token(process: Process, folder: Path) -> str:
    """Run the command that ``dev`` prints."""
    told = process.wait_for_line("ostiary token get").split()
    return ostiary(folder, *told[1:])


def test_dev_prints_the_command_for_the_first_token_and_keeps_its_data(tmp_path: Path) -> None:
    ports = free_port(), free_port()
    with start(tmp_path, *ports) as process:
        began = time.monotonic()
        process.wait_for_line("Ostiary is ready")
        assert time.monotonic() - began < 10.0
        token = first_token(process, tmp_path)
        assert ostiary(tmp_path, "token", "get", *_demo(tmp_path)) != token
        keys = ostiary(tmp_path, "keys", "list", "--format", "json")
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
        assert "Traceback" not in process.output
    with start(tmp_path, *ports) as process:
        process.wait_for_line("Ostiary is ready")
        assert ostiary(tmp_path, "keys", "list", "--format", "json") == keys
        (tmp_path / "token").write_text(token)
        api = str(tmp_path / ".ostiary" / "demo-api.json")
        told = ostiary(tmp_path, "token", "inspect", "--file", "token", "--api-key-file", api, "--format", "json")
        assert json.loads(told)["active"] is True
        assert process.stop(signal.SIGTERM) == 0
        assert "Traceback" not in process.output


@pytest.mark.parametrize("seconds", [0.15, 0.6])
def test_a_start_that_is_interrupted_leaves_nothing_broken(tmp_path: Path, seconds: float) -> None:
    ports = free_port(), free_port()
    with start(tmp_path, *ports) as process:
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
    with start(tmp_path, *ports) as process:
        process.wait_for_line("Ostiary is ready")
        assert first_token(process, tmp_path)


def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with start(tmp_path, port, free_port()) as process:
            assert process.wait() == 3
            sentences = process.output.strip().splitlines()
    assert len(sentences) == 1
    assert f"port {port}" in sentences[0]
    assert "choose another port" in sentences[0]


def _demo(folder: Path) -> list[str]:
    return ["--client-file", str(folder / ".ostiary" / "demo-client.json"), "--resource", "http://localhost:8402"]
