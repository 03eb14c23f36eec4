"""How many attacks were tried: on standard output with `-s`, and in the report."""

from collections.abc import Iterator

import pytest

from tests.federation.conftest import counted
from tests.gateway.serve.running_gateway import Backend, backend

__all__ = ["counted"]


@pytest.fixture(scope="module")
def server() -> Iterator[Backend]:
    with backend() as running:
        yield running
