"""A server behind the gateway, for attacks on servers that run."""

from collections.abc import Iterator

import pytest

from tests.gateway.serve.running_gateway import Backend, backend


@pytest.fixture(scope="module")
def server() -> Iterator[Backend]:
    with backend() as running:
        yield running
