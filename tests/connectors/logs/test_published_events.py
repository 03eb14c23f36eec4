"""Published records of detection rules: each is stored, or quarantined with a reason.

The counts are those of docs/log-sources.md.
"""

import pytest

from answerable.connectors.formats.log_format import RecordRefused
from answerable.model.event import AuditEvent
from tests.connectors.logs.published_records import COUNTS, FILE, read_records

pytestmark = pytest.mark.skipif(not FILE.exists(), reason="shared data not present")


@pytest.mark.parametrize("kind", COUNTS)
def test_each_record_is_stored_or_quarantined_with_a_reason(kind: str) -> None:
    _, _, records, stored, unreadable, whole, named = COUNTS[kind]
    found = list(read_records(kind))
    refused = [e.found for e in found if isinstance(e.found, RecordRefused)]
    assert len(found) == records
    assert len(found) - len(refused) == stored
    assert all(each.reason for each in refused)
    assert sum(not isinstance(each.timed, AuditEvent) for each in found) == unreadable
    assert sum(each.is_whole for each in found) == whole
    carried = [each.is_whole for each in found if each.is_named]
    assert len(carried) == named
    assert sum(carried) >= 0.95 * len(carried)
