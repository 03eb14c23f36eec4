"""The exchange end to end: a real process, over loopback and its unix socket."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sts.world import FILES, ROOT, Client, World, ci_token, serving, taken
from tests.sts.wires import Wire


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with serving(tmp_path_factory.mktemp("sts")) as running:
        yield running


@pytest.fixture
def wire(world: World) -> Iterator[Wire]:
    with world.wire() as connected:
        yield connected


def test_a_pinned_issuers_token_becomes_one_of_ours_bound_to_the_key_shown(
    world: World, wire: Wire
) -> None:
    client = Client(world)
    reply = client.exchange(wire, ci_token(world))
    assert reply.status == 200
    assert reply.fields["cache-control"] == "no-store"
    said = reply.json
    assert (said["token_type"], said["scope"]) == ("DPoP", "read write")
    assert said["expires_in"] == 600
    claims = taken(world, wire, str(said["access_token"]))
    assert (claims.sub, claims.aud, claims.cnf.jkt) == (ROOT, FILES, client.jkt)
    assert claims.leaf("answerable", "owner") == "person:ana@corp.example"
