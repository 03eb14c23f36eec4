"""A server behind the gateway, and the installed wheel."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.installed_wheel import build_wheel, install_wheel
from tests.gateway.serve.running_gateway import Backend, backend


@pytest.fixture
def server() -> Iterator[Backend]:
    with backend() as running:
        yield running


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def installed(wheel: Path) -> Iterator[Path]:
    """Its `bin` folder."""
    with install_wheel(wheel) as folder:
        yield folder
