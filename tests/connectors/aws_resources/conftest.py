"""One account's resources as a file, and how to read it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from answerable.connectors.aws_resources import fetch
from answerable.connectors.aws_resources.parse import parse
from answerable.connectors.parsed_source import ParsedAwsAnswers
from answerable.model.connector import SyncContext
from answerable.model.sighting import Sync

Whole = dict[str, object]
Read = Callable[[object], ParsedAwsAnswers]


@pytest.fixture
def context() -> SyncContext:
    return SyncContext(1, lambda value: "0" * 24)


@pytest.fixture
def path(root: Path) -> Path:
    return root / "tests" / "data" / "aws" / "resources.json"


@pytest.fixture
def whole(path: Path) -> Whole:
    found: Whole = json.loads(path.read_text())
    return found


@pytest.fixture
def resources(path: Path, context: SyncContext) -> Sync:
    return fetch.sync(str(path), context)


@pytest.fixture(scope="session")
def read() -> Read:
    def _read(content: object) -> ParsedAwsAnswers:
        text = content if isinstance(content, str) else json.dumps(content)
        return parse(text.encode(), source="aws-resources:x", place="x", now=1)

    return _read
