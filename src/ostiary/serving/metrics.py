"""Counters and gauges in the Prometheus text format; one process or, by ``PROMETHEUS_MULTIPROC_DIR``, many."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


class Metrics:
    """Counts events by name and labels; ``count`` is the server's ``on_event`` hook and costs about a microsecond."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._children: dict[tuple[str, tuple[tuple[str, str], ...]], Any] = {}

    def count(self, name: str, labels: Mapping[str, str]) -> None:
        """Add one to the counter ``ostiary_<name>_total``; one name always comes with the same label names."""
        key = (name, tuple(labels.items()))
        child = self._children.get(key)
        if child is None:
            child = self._child(name, labels)
            self._children[key] = child
        child.inc()

    def set(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """Set the gauge ``ostiary_<name>``; of several processes the one that set it last is shown."""
        gauge = self._gauges.get(name)
        if gauge is None:
            gauge = Gauge(
                f"ostiary_{name}",
                name.replace("_", " "),
                tuple(labels),
                registry=self.registry,
                multiprocess_mode="mostrecent",
            )
            self._gauges[name] = gauge
        (gauge.labels(**labels) if labels else gauge).set(value)

    def _child(self, name: str, labels: Mapping[str, str]) -> Any:
        counter = self._counters.get(name)
        if counter is None:
            counter = Counter(f"ostiary_{name}", name.replace("_", " "), tuple(labels), registry=self.registry)
            self._counters[name] = counter
        return counter.labels(**labels) if labels else counter

    def render(self) -> bytes:
        """The text exposition of all processes that share the metrics folder, or of this one."""
        if os.environ.get(MULTIPROCESS_VARIABLE):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
            return generate_latest(registry)
        return generate_latest(self.registry)
