"""A server behind the gateway."""

from collections.abc import Iterator

import pytest

from tests.gateway.serve.running_gateway import Backend, backend


@pytest.fixture
def server() -> Iterator[Backend]:
    with backend() as running:
        yield running
