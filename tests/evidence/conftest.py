"""The slow twin beside the tests, whatever folder they are run from."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def slow() -> ModuleType:
    place = Path(__file__).with_name("slow.py")
    spec = importlib.util.spec_from_file_location("evidence_slow", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
