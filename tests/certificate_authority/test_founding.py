"""What a CA that issues may stand below, and that one installation is founded once."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ostiary.certificate_authority import form, founding, subject_keys
from ostiary.certificate_authority.founding import Root
from ostiary.errors import ConfigurationError
from tests.authorization_server.world import World
from tests.certificate_authority.authority import CONSTRAINTS, Ca, certificate_authority, new_key

YEAR = 365 * 86_400


def root(world: World, **changes: Any) -> Root:
    """A root made by other means; changes: extensions, by name, None leaves one out; ``begin`` and ``end``."""
    key, now = new_key(), int(world.clock())
    extensions: dict[str, Any] = {
        "basic": x509.BasicConstraints(True, None),
        "usage": form.authority_usage(),
        "identifier": x509.SubjectKeyIdentifier(subject_keys.key_identifier(key.public_key())),
    }
    begin, end = changes.pop("begin", now - 60), changes.pop("end", now + YEAR)
    kept = [(one, True) for one in (extensions | changes).values() if one is not None]
    name = form.subject("Elsewhere", "Elsewhere")
    made = form.builder(name, name, key.public_key(), form.new_serial(), begin, end, kept).sign(key, hashes.SHA256())
    return Root(made, key, "ES256")


def found_below(world: World, given: Root) -> Ca:
    ca = Ca(world, given)
    ca.add_issuing()
    return ca


def test_a_root_made_by_other_means_is_taken(world: World) -> None:
    assert found_below(world, root(world)).issue().profile == "server"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"basic": None}, "lacks"),
        ({"basic": x509.BasicConstraints(False, None)}, "does not let it sign"),
        ({"basic": x509.BasicConstraints(True, 0)}, "does not let it sign"),
        ({"usage": None}, "lacks"),
        ({"usage": form.leaf_usage()}, "does not let it sign"),
        ({"identifier": None}, "lacks"),
        ({"begin": 1_000_000_000, "end": 1_800_000_000}, "is good from"),
        ({"begin": 1_800_000_001, "end": 1_900_000_000}, "is good from"),
    ],
)
def test_nothing_is_founded_below_a_root_that_cannot_bear_it(world: World, changes: Any, word: str) -> None:
    with pytest.raises(ConfigurationError, match=word):
        found_below(world, root(world, **changes))
    ca = Ca(world, root(world, **changes))
    with pytest.raises(ConfigurationError, match=word):
        world.run(ca.life().add_root(ca.root, "Elsewhere", ca.act()))
    assert world.read(lambda work: work.authorities.list()) == []


def test_of_two_that_found_at_once_one_does(world: World) -> None:
    ca = certificate_authority(world)
    before = ca.authorities.records()
    second = ca.life().add_issuing(root(world), "Again", "ES256", CONSTRAINTS, ca.act(), first=True)
    with pytest.raises(ConfigurationError, match="already"):
        world.run(second)
    world.run(ca.authorities.refresh())
    assert ca.authorities.records() == before


def test_a_name_that_is_too_long_is_cut_and_the_number_stays(world: World) -> None:
    given = root(world)
    key = new_key().public_key()
    made = founding.new_issuing(
        given, "\u20ac" * 60, key, CONSTRAINTS, form.CaUrls("http://a/b", "http://a/c", "http://a/d"), world.clock()
    )
    [name] = made.subject.get_attributes_for_oid(x509.oid.NameOID.COMMON_NAME)
    assert str(name.value).endswith(f"Issuing CA {founding.authority_id(key)[:8]}")
    assert len(str(name.value).encode()) <= form.MAX_COMMON_NAME
