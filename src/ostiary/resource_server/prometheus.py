"""How an API stands with its revocation feeds, for Prometheus (extra ``prometheus``, or its own ``prometheus-client``).

Two lines in the application::

    from ostiary.resource_server.prometheus import RevocationCollector
    REGISTRY.register(RevocationCollector(guard))

They are read when they are asked for, from the process that is asked: with several processes behind one port each has
its own, which the multiprocess mode of ``prometheus-client`` does not add up.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from ostiary.extras import missing_extra

try:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
    from prometheus_client.registry import Collector
except ImportError as error:
    raise missing_extra("prometheus", error) from error

if TYPE_CHECKING:
    from ostiary.resource_server.core import ResourceServer

_PREFIX: Final = "ostiary_revocation_feed_"
_LABELS: Final = ("issuer",)


class RevocationCollector(Collector):
    """The feeds that ``guard`` follows; other choices have nothing to tell."""

    def __init__(self, guard: ResourceServer) -> None:
        self._guard = guard

    def describe(self) -> Iterable[Metric]:
        """What there will be; nothing is asked for it."""
        return self._families()

    def collect(self) -> Iterable[Metric]:
        """The present values."""
        staleness, position, rows, following, reconnects = families = self._families()
        for status in self._guard.revocation_status().values():
            if status.choice == "feed":
                labels = (status.issuer,)
                staleness.add_metric(labels, status.staleness)
                position.add_metric(labels, status.position)
                rows.add_metric(labels, status.rows)
                following.add_metric(labels, float(status.following))
                reconnects.add_metric(labels, status.reconnects)
        return families

    def _families(
        self,
    ) -> tuple[GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily, CounterMetricFamily]:
        def gauge(name: str, text: str) -> GaugeMetricFamily:
            return GaugeMetricFamily(_PREFIX + name, text, labels=_LABELS)

        return (
            gauge("staleness_seconds", "How old what is known of revocations can be at most"),
            gauge("position", "Up to where the revocation log of the issuer is known"),
            gauge("rows", "How many names are known to have ended"),
            gauge("following", "Whether an answer of the issuer is being read"),
            CounterMetricFamily(_PREFIX + "reconnects", "Answers that ended and were asked for anew", labels=_LABELS),
        )
