"""A door with routes that only show what reached them."""

import pytest

from answerable.web.auth.sessions import Session
from answerable.web.desk import Desk
from answerable.web.visit import Role
from tests.web.routes import Acts, routes
from tests.web.stage import Stage


@pytest.fixture
def acts() -> Acts:
    return Acts()


@pytest.fixture
def stage(desk: Desk, acts: Acts) -> Stage:
    return Stage(desk, routes(acts), ())


@pytest.fixture
def admin(stage: Stage) -> tuple[str, Session]:
    return stage.signed_in(Role.ADMIN)
