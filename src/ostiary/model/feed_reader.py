"""A reader of the revocation feed: one process of an API, for as long as its stream lasts."""

from __future__ import annotations

from dataclasses import dataclass

LIFE = 900
"""Seconds that a row outlives what was last heard of its reader: more than clocks of nodes may differ."""


@dataclass(frozen=True, slots=True)
class FeedReader:
    """digest: of the secret by which it says what it has applied; client_id: the identity of its API, or APIs.

    node: the process of the issuer that it reads from. position: up to where it has applied the log, by its own word.
    seen_at: seconds since the epoch, when its node last had it, or it last spoke; expires_at: the end of this row.
    """

    digest: bytes
    client_id: str
    node: str
    position: int
    seen_at: int
    expires_at: int
    tenant: str = "default"
