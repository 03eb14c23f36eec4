"""Clients that are not ours get tokens that hold, bound as they should be."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.sts.foreign.client_journeys import (
    JOURNEYS,
    ClientJourney,
    WrongError,
    run_journey,
)
from tests.sts.foreign.environment import ForeignEnvironment, run_environment
from tests.sts.running_service import MAIL, SUB

pytestmark = pytest.mark.world


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignEnvironment]:
    with run_environment(tmp_path_factory.mktemp("foreign")) as running:
        yield running


@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda each: each.id)
def test_a_foreign_client_gets_what_it_came_for(
    stage: ForeignEnvironment, journey: ClientJourney
) -> None:
    run_journey(journey, stage)


def changed(client: str, **told: str) -> ClientJourney:
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
    ids=lambda each: each.client if isinstance(each, ClientJourney) else each,
)
def test_a_foreign_client_is_refused_in_words_it_knows(
    stage: ForeignEnvironment, journey: ClientJourney, error: str
) -> None:
    with pytest.raises(WrongError, match=error):
        run_journey(journey, stage)
