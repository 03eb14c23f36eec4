"""Clients that are not ours get tokens that hold, bound as they should be."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.sts.foreign.client_journeys import JOURNEYS, Journey, WrongError, go
from tests.sts.foreign.environment import Stage, staged
from tests.sts.running_service import MAIL, SUB

pytestmark = pytest.mark.world


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("foreign")) as running:
        yield running


@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda each: each.id)
def test_a_foreign_client_gets_what_it_came_for(stage: Stage, journey: Journey) -> None:
    go(journey, stage)


def changed(client: str, **told: str) -> Journey:
    """The first journey of a client, told something else."""
    journey = next(each for each in JOURNEYS if each.client == client)
    return replace(journey, told=lambda stage: journey.told(stage) | told)


@pytest.mark.parametrize(
    ("journey", "error"),
    [
        # Its tokens would be bound to no key, and that audience wants one.
        (changed("google-auth", audience=MAIL, scope="send"), "invalid_grant"),
        (changed("google-auth-library", scope="tools:admin"), "invalid_scope"),
        (changed("agentsts-core", audience="https://else.example"), "invalid_target"),
        # These name another client than the one that was vouched for.
        (changed("azure-identity", client_id=SUB), "invalid_client"),
        (changed("mcp", client_id=SUB), "invalid_client"),
        # The certificate stays away.
        (changed("authlib", certificate=""), "invalid_grant"),
    ],
    ids=lambda each: each.client if isinstance(each, Journey) else each,
)
def test_a_foreign_client_is_refused_in_words_it_knows(
    stage: Stage, journey: Journey, error: str
) -> None:
    with pytest.raises(WrongError, match=error):
        go(journey, stage)
