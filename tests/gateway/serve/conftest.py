import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.serve.otlp_collector import Collector
from tests.gateway.serve.owners import Owners
from tests.gateway.serve.running_gateway import Backend, backend


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


@pytest.fixture
def owners(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Owners:
    monkeypatch.setattr(
        "answerable.server.processes.ancestors.refuse_agent_ancestors",
        lambda runs: None,
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    return Owners(tmp_path, capsys)
