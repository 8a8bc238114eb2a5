"""Orders in every state, made quickly."""

from __future__ import annotations

from dataclasses import replace

from ostiary.certificate_authority.acme.ordering import ORDER_LIFE
from ostiary.model.acme import AcmeOrder
from tests.authorization_server.world import Answer
from tests.certificate_authority.acme.client import AcmeClient, csr, path_of

NAME = "www.example.com"
STATES = ("pending", "ready", "valid", "invalid", "expired")


def stored(client: AcmeClient, order: Answer) -> AcmeOrder:
    """The order's row."""
    order_id = path_of(order.headers["location"]).rsplit("/", 1)[-1]
    found: AcmeOrder = client.world.read(lambda work: work.acme_orders.get(order_id))
    return found


def ready(client: AcmeClient, *names: str, **members: object) -> Answer:
    """An order whose names are proved, as the validation would write it."""
    order = client.order(*(names or (NAME,)), **members)
    assert order.status == 201, order.body
    row = stored(client, order)
    for one in client.world.read(lambda work: work.acme_orders.authorizations(row.order_id)):
        proved = replace(one, state="valid")
        client.world.write(lambda work, proved=proved: work.acme_orders.move_authorization(proved, was="pending"))
    client.world.write(lambda work: work.acme_orders.move(replace(row, state="ready"), was="pending"))
    return order


def finalized(client: AcmeClient, *names: str, **members: object) -> Answer:
    """An order with its certificate."""
    wanted = names or (NAME,)
    order = ready(client, *wanted, **members)
    done = client.post(path_of(order.json["finalize"]), {"csr": csr(*wanted)})
    assert done.status == 200, done.body
    return done


def in_state(client: AcmeClient, state: str) -> Answer:
    """An order that has come so far."""
    if state == "valid":
        return finalized(client)
    if state == "ready":
        return ready(client)
    order = client.order(NAME)
    if state == "invalid":
        row = stored(client, order)
        client.world.write(lambda work: work.acme_orders.move(replace(row, state="invalid"), was="pending"))
    if state == "expired":
        client.world.clock.now += ORDER_LIFE + 1
    return order
