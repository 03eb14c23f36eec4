"""Real data that lies beside a checkout, where it does; never part of the project."""

from pathlib import Path

import pytest


def shared(*parts: str) -> Path:
    """Find a folder of the shared data, or skip the test with the reason."""
    folder = Path(__file__).resolve().parents[3].joinpath("shared", "data", *parts)
    if not folder.is_dir():
        pytest.skip("shared data not present")
    return folder
