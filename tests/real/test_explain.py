"""Every trace id that a caller is given leads an operator somewhere: to the checks, or to the line of the log."""

from __future__ import annotations

import json
from pathlib import Path

import httpx2
import pytest

from tests.real.served import Served

pytestmark = pytest.mark.real

FORM = "application/x-www-form-urlencoded"


def test_what_was_refused_before_it_was_read_is_found_in_the_log(tmp_path: Path) -> None:
    served = Served(tmp_path)
    with served.run() as process, served.http() as http:
        before_it_was_read = [
            http.post("/token", content=b"a" * 70_000, headers={"content-type": FORM}),
            http.post("/token", headers=[("content-type", FORM), ("content-type", FORM)], content=b"a=b"),
        ]
        traces = [trace_of(answer) for answer in before_it_was_read]
        read = trace_of(http.post("/token", data={"a": "b"}))
        assert read in served.ostiary("explain", read)
        for trace in traces:
            process.wait_for_line(trace)
            served.ostiary("explain", trace, code=1)
    assert [answer.status_code for answer in before_it_was_read] == [413, 400]
    logged = [json.loads(line) for line in process.output.splitlines() if line.startswith("{")]
    assert [line["trace"] for line in logged if "trace" in line] == traces


def trace_of(answer: httpx2.Response) -> str:
    return str(answer.json()["trace"])
