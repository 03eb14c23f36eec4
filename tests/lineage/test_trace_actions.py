"""Action globs of `trace_events`: every action of a stored event is right."""

import pytest

from answerable.model.errors import UsageError
from answerable.services.lineage.trace_rows import TraceQuery
from answerable.store.store import EvidenceStore
from answerable.usecases.lineage.trace import trace_events
from tests.lineage.conftest import NOW, keep, made


@pytest.mark.parametrize(
    ("glob", "fine"), [("tool.call", True), ("tool.*", True), ("tool.cal", False)]
)
def test_a_trace_takes_every_action_that_the_store_holds(
    store: EvidenceStore, glob: str, fine: bool
) -> None:
    keep(store, [made(1, action="tool.call", agent="agent:x/y")])
    asked = TraceQuery(action=glob, since=1, until=2)
    if fine:
        assert trace_events(store, asked, now=NOW).items == []
        return
    with pytest.raises(UsageError) as caught:
        trace_events(store, asked, now=NOW)
    assert caught.value.hint == "did you mean tool.call?"
