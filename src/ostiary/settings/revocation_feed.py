"""Settings of the stream by which APIs learn of revocations."""

from __future__ import annotations

from pydantic import Field

from ostiary.settings.fields import Count, Section


class RevocationFeedSettings(Section):
    """Times in seconds.

    heartbeat: how often readers are told that nothing has changed; after 12 seconds of silence they go elsewhere.
    stream_life: an answer ends after about so long, and its reader comes again, maybe to another node.
    max_streams: how many may read at once, in each worker: half of ``server.max_connections`` if it is not set;
    max_streams_per_api: how many with one API's identity.
    """

    heartbeat: float = Field(default=5.0, gt=0, le=10)
    max_streams: Count | None = None
    max_streams_per_api: Count = 100
    stream_life: float = Field(default=900.0, ge=10, le=86_400)
