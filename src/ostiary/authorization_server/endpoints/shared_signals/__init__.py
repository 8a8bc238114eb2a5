"""The transmitter of security events (SSF 1.0): its description, the management of streams, poll; one file each."""

from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.endpoints.shared_signals import (
    configuration,
    poll,
    status,
    streams,
    subjects,
    verification,
)

ENDPOINTS: tuple[Endpoint, ...] = (
    configuration.ENDPOINT,
    streams.ENDPOINT,
    status.ENDPOINT,
    subjects.ADD,
    subjects.REMOVE,
    verification.ENDPOINT,
    poll.ENDPOINT,
)

__all__ = ["ENDPOINTS"]
