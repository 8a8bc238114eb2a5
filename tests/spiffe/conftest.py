"""The trust domain that the tests of this folder use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificate_authority.authority import Ca
from tests.spiffe.trust_domain import TrustDomainWorld, trust_domain_world


@pytest.fixture
def domain(tmp_path: Path) -> Iterator[tuple[TrustDomainWorld, Ca]]:
    with trust_domain_world(tmp_path) as built:
        yield built


@pytest.fixture
def world(domain: tuple[TrustDomainWorld, Ca]) -> TrustDomainWorld:
    return domain[0]


@pytest.fixture
def ca(domain: tuple[TrustDomainWorld, Ca]) -> Ca:
    return domain[1]
