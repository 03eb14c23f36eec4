"""An API of GitHub for live scans, with a small organization."""

from collections.abc import Iterator

import pytest

from tests.connectors.github.fake_api import TOKEN, FakeApi, serve
from tests.connectors.github.saved_answers import make_answers


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    """An API with the answers about a small organization."""
    with serve(FakeApi(make_answers())) as fake:
        monkeypatch.setenv("GH_TOKEN", TOKEN)
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        yield fake
