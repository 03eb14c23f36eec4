"""Every registered renderer exists."""

import pytest

from answerable.cli.render.documents import FOOTERS, RENDERERS, get_renderer


@pytest.mark.parametrize("name", sorted({*RENDERERS.values(), *FOOTERS.values()}))
def test_a_registered_renderer_exists(name: str) -> None:
    assert callable(get_renderer(name))
