"""What comes of a validation: for the challenge, its authorization and its order; over tries and restarts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ostiary.audit import tags
from ostiary.certificate_authority.acme.problems import URN
from ostiary.certificate_authority.acme.validation.validator import DELAYS, Validator
from tests.authorization_server.world import Answer, World
from tests.certificate_authority.acme.client import AcmeClient, path_of
from tests.certificate_authority.acme.conftest import configured
from tests.certificate_authority.acme.served_names import Records, name_server, web

NAME = "www.example.com"
HERE: Records = {(NAME, "A"): ["127.0.0.1"]}


def begun(client: AcmeClient, kind: str = "http-01") -> tuple[Answer, dict[str, Any]]:
    order = client.order(NAME)
    challenge = client.challenge(order, kind)
    client.post(path_of(challenge["url"]), {})
    return order, challenge


def tried(client: AcmeClient, challenge: dict[str, Any], body: bytes | None = None, records: Records = HERE) -> int:
    """One round, with a server that has ``body`` or the right answer."""
    world = client.world

    async def run() -> int:
        async with name_server(records) as names, web() as site:
            configured(world, http_port=site.port, dns_server=f"127.0.0.1:{names.port}")
            right = client.key_authorization(challenge["token"]).encode()
            site.answers[f"/.well-known/acme-challenge/{challenge['token']}"] = right if body is None else body
            return await validator(world).round()

    return world.run(run())


def validator(world: World) -> Validator:
    return Validator(world.storage, world.server.settings.acme, world.clock)


def test_a_failed_try_is_made_again_and_may_succeed(client: AcmeClient) -> None:
    order, challenge = begun(client)
    assert tried(client, challenge, b"not yet") == 1
    seen = client.post(path_of(challenge["url"])).json
    assert (seen["status"], seen["error"]["type"]) == ("processing", URN + "unauthorized")
    assert tried(client, challenge) == 0  # not before its time
    client.world.clock.now += DELAYS[0]
    assert tried(client, challenge) == 1
    assert client.post(path_of(challenge["url"])).json["status"] == "valid"
    assert client.post(path_of(order.headers["location"])).json["status"] == "ready"


def test_after_the_last_try_challenge_authorization_and_order_are_invalid_with_the_reason(client: AcmeClient) -> None:
    order, challenge = begun(client)
    for delay in (*DELAYS, 0):
        assert tried(client, challenge, b"never") == 1
        client.world.clock.now += delay
    assert client.post(path_of(challenge["url"])).json["status"] == "invalid"
    assert client.post(path_of(order.json["authorizations"][0])).json["status"] == "invalid"
    seen = client.post(path_of(order.headers["location"])).json
    assert (seen["status"], seen["error"]["type"]) == ("invalid", URN + "unauthorized")
    row = next(row for row in client.world.audit() if row.tag == tags.ACME_CHALLENGE_FAILED)
    assert (row.reason, row.outcome) == ("unauthorized", "refused")


def test_when_one_name_has_failed_the_others_end_by_their_own_results(client: AcmeClient) -> None:
    order = client.order(NAME, "api.example.com")
    challenges = [client.challenge(order, place=place) for place in range(2)]
    for challenge in challenges:
        client.post(path_of(challenge["url"]), {})
    assert tried(client, challenges[0], records={}) == 2  # neither name has an address
    for delay in DELAYS:
        client.world.clock.now += delay
        assert tried(client, challenges[0], records={}) == 2
    states = [client.post(path_of(one)).json["status"] for one in order.json["authorizations"]]
    assert states == ["invalid", "invalid"]
    assert client.post(path_of(order.headers["location"])).json["status"] == "invalid"


def test_a_name_at_a_forbidden_address_fails_at_once(client: AcmeClient) -> None:
    order, challenge = begun(client)
    assert tried(client, challenge, records={(NAME, "A"): ["169.254.169.254"]}) == 1
    assert client.post(path_of(order.headers["location"])).json["status"] == "invalid"


def test_two_processes_do_not_try_the_same_challenge(client: AcmeClient) -> None:
    begun(client)
    world = client.world

    async def run() -> int:
        async with name_server(HERE) as names, web() as site:
            configured(world, http_port=site.port, dns_server=f"127.0.0.1:{names.port}")
            due = await _due(world)
            first, second = validator(world), validator(world)
            return await first._try(due) + await second._try(due)

    assert world.run(run()) == 1


def test_a_challenge_whose_process_died_is_taken_again(client: AcmeClient) -> None:
    """The process that took it is gone; its time passes, and the next round does the work."""
    order, challenge = begun(client)
    world = client.world

    async def taken() -> None:
        due = await _due(world)
        async with world.storage.write() as work:
            assert await validator(world)._taken(work, due) is not None

    world.run(taken())
    assert tried(client, challenge) == 0
    world.clock.now += world.settings.acme.validation_timeout + 6
    assert tried(client, challenge) == 1
    assert client.post(path_of(order.headers["location"])).json["status"] == "ready"


def test_a_deactivated_account_is_not_validated_for(client: AcmeClient) -> None:
    _, challenge = begun(client)
    client.post(path_of(client.kid), {"status": "deactivated"})
    assert tried(client, challenge) == 0
    assert state_of(client, challenge) == "invalid"  # not taken up again, round by round, until its row ends


def test_nothing_is_fetched_for_an_authorization_that_has_ended(client: AcmeClient) -> None:
    order, challenge = begun(client)
    client.post(path_of(order.json["authorizations"][0]), {"status": "deactivated"})
    assert tried(client, challenge) == 0
    assert state_of(client, challenge) == "invalid"


def test_a_proof_after_the_end_of_the_order_proves_nothing(client: AcmeClient) -> None:
    order, challenge = begun(client)
    client.world.clock.now += 24 * 3600 + 1
    tried(client, challenge)
    assert client.post(path_of(order.headers["location"])).json["status"] == "invalid"


def test_an_authorization_given_up_meanwhile_stays_so(client: AcmeClient) -> None:
    order, challenge = begun(client)
    authorization = path_of(order.json["authorizations"][0])
    assert client.post(authorization, {"status": "deactivated"}).json["status"] == "deactivated"
    tried(client, challenge)
    assert client.post(authorization).json["status"] == "deactivated"
    assert client.post(path_of(order.headers["location"])).json["status"] == "invalid"


def test_rows_of_orders_end(client: AcmeClient) -> None:
    order, challenge = begun(client)
    world = client.world
    order_id = path_of(order.headers["location"]).rsplit("/", 1)[-1]
    end = world.read(lambda work: work.acme_orders.get(order_id)).expires_at
    world.run(world.storage.expire(end - 1))
    assert world.read(lambda work: work.acme_orders.get(order_id)) is not None
    world.run(world.storage.expire(end))
    assert world.read(lambda work: work.acme_orders.get(order_id)) is None
    assert world.read(lambda work: work.acme_orders.authorizations(order_id)) == []
    challenge_id = path_of(challenge["url"]).rsplit("/", 1)[-1]
    assert world.read(lambda work: work.acme_orders.challenge(challenge_id)) is None


def state_of(client: AcmeClient, challenge: dict[str, Any]) -> str:
    """The state in the challenge's row, which its account may not ask for any more."""
    challenge_id = path_of(challenge["url"]).rsplit("/", 1)[-1]
    state: str = client.world.read(lambda work: work.acme_orders.challenge(challenge_id)).state
    return state


async def _due(world: World) -> Any:
    async with world.storage.read() as work:
        (due,) = await work.acme_orders.due(int(world.clock()))
    return replace(due)
