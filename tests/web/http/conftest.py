"""A door with routes that only show what reached them."""

import pytest

from answerable.web.auth.sessions import Session
from answerable.web.store_cache import Desk
from answerable.web.visitor import Role
from tests.web.dispatcher_harness import Stage
from tests.web.echo_routes import Acts, routes


@pytest.fixture
def acts() -> Acts:
    return Acts()


@pytest.fixture
def stage(desk: Desk, acts: Acts) -> Stage:
    return Stage(desk, routes(acts), ())


@pytest.fixture
def admin(stage: Stage) -> tuple[str, Session]:
    return stage.signed_in(Role.ADMIN)
