"""A door with routes that only show what reached them."""

import pytest

from answerable.web.auth.sessions import WebSession
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import WebRole
from tests.web.dispatcher_harness import DispatcherHarness
from tests.web.echo_routes import CountingRoute, routes


@pytest.fixture
def acts() -> CountingRoute:
    return CountingRoute()


@pytest.fixture
def stage(desk: StoreCache, acts: CountingRoute) -> DispatcherHarness:
    return DispatcherHarness(desk, routes(acts), ())


@pytest.fixture
def admin(stage: DispatcherHarness) -> tuple[str, WebSession]:
    return stage.signed_in(WebRole.ADMIN)
