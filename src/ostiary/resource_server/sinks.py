"""Where an API's refused decisions go."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ostiary.resource_server.http import HttpPort
from ostiary.resource_server.sources import Sources
from ostiary.resource_server.trace_upload import TraceUpload
from ostiary.trace import TraceRecord, TraceSink
from ostiary.trace_sinks import FileSink, LogSink


class Sinks:
    """Hands each record to every sink.

    given: the sinks; None for the default: the log ``ostiary.traces``, the file OSTIARY_TRACE_FILE, and, with the API's
    own identity, the issuer.
    """

    def __init__(
        self,
        given: TraceSink | Sequence[TraceSink] | None,
        sources: Sources,
        http: HttpPort,
        clock: Callable[[], float],
        environment: Mapping[str, str],
    ) -> None:
        self._upload: TraceUpload | None = None
        if given is None:
            self._sinks = self._default(sources, http, clock, environment)
        else:
            self._sinks = list(given) if isinstance(given, Sequence) else [given]

    def record(self, record: TraceRecord) -> None:
        for sink in self._sinks:
            sink.record(record)

    def close(self) -> None:
        """Send what waits, within a short time."""
        if self._upload is not None:
            self._upload.close()

    def _default(
        self, sources: Sources, http: HttpPort, clock: Callable[[], float], environment: Mapping[str, str]
    ) -> list[TraceSink]:
        sinks: list[TraceSink] = [LogSink(logging.getLogger("ostiary.traces"))]
        if environment.get("OSTIARY_TRACE_FILE"):
            sinks.append(FileSink(Path(environment["OSTIARY_TRACE_FILE"])))
        if sources.own:
            self._upload = TraceUpload(sources, http, clock)
            sinks.append(self._upload)
        return sinks
