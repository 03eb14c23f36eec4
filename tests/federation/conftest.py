"""How many cases a law held for: on standard output with `-s`, and in the report."""

from collections.abc import Callable, Iterator

import pytest


@pytest.fixture
def counted(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Iterator[list[str]]:
    """A list that each case is put into; what there is of each kind is told."""
    cases: list[str] = []
    yield cases
    kinds = {kind: cases.count(kind) for kind in sorted(set(cases))}
    record_property("cases", len(cases))
    told = ", ".join(f"{kind} {count:,}" for kind, count in kinds.items() if kind)
    print(f"\n{request.node.name}: {len(cases):,} cases ({told or 'all alike'})")
