"""An installation that is the SPIFFE trust domain trust.example.com, with a CA and a workload."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ostiary.settings import Settings
from ostiary.settings.spiffe import SpiffeSettings
from tests.authorization_server.world import Answer, Clock, World
from tests.certificate_authority.authority import Ca, certificate_authority

DOMAIN = "trust.example.com"
BILLING = f"spiffe://{DOMAIN}/billing"
REPORTS = f"spiffe://{DOMAIN}/reports"


class TrustDomainWorld(World):
    """A world whose settings name the trust domain."""

    def _settings(self, issuer: str) -> Settings:
        plain = super()._settings(issuer)
        authority = plain.certificate_authority.model_copy(update={"trust_domain": DOMAIN})
        return plain.model_copy(update={"certificate_authority": authority, "spiffe": self.spiffe()})

    def spiffe(self) -> SpiffeSettings:
        return SpiffeSettings()

    def svid(self, client_id: str = "billing", /, *audience: str, **parameters: Any) -> Answer:
        """What the endpoint says to ``client_id``."""
        form = list(self.form(client_id, **parameters).items()) + [("audience", one) for one in audience or (REPORTS,)]
        return self.post("/spiffe/jwt-svid", urlencoded(form))

    def bundle(self) -> Any:
        answer = self.get("/spiffe/bundle.json")
        assert answer.status == 200, answer.body
        return answer.json


def urlencoded(form: list[tuple[str, str]]) -> bytes:
    from urllib.parse import urlencode

    return urlencode(form).encode()


@contextmanager
def trust_domain_world(
    folder: Path, clock: Clock | None = None, kind: type[TrustDomainWorld] = TrustDomainWorld
) -> Iterator[tuple[TrustDomainWorld, Ca]]:
    """The world with its API and the client ``billing``, which is a workload, and its CA."""
    world = kind(folder, clock=clock)
    try:
        ca = certificate_authority(world)
        world.add_api()
        world.add_client("billing", spiffe_id=BILLING, key=None)
        world.add_key("billing", "billing-1", not_before=int(world.clock()) - 60)
        yield world, ca
    finally:
        world.close()
