import threading
from collections.abc import Iterator

import pytest

from tests.gateway.serve.stage import Backend, backend
from tests.gateway.serve.telemetry import Collector


@pytest.fixture(scope="module")
def server() -> Iterator[Backend]:
    with backend() as running:
        yield running


@pytest.fixture
def collector() -> Iterator[Collector]:
    running = Collector()
    thread = threading.Thread(target=running.serve_forever, args=(0.05,))
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()
