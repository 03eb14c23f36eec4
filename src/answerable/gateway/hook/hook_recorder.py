"""Record the single decision of a hook process in the evidence spool.

The record is on disk on return. The hook runs in the agent's client, so its input is
the agent's own claim: the recorder's name marks it as such, and readers do not trust
it.
"""

import secrets
from pathlib import Path

from answerable.evidence.spool_format import (
    encode_record,
    encode_spool_lines,
    initial_chain_hash,
)
from answerable.model.caller import VerifiedCaller
from answerable.model.decision import Decision
from answerable.model.errors import EnvironmentFailure
from answerable.model.ids import build_event_id
from answerable.model.log_sources import HOOK_PREFIX, get_log_source_of_recorder
from answerable.model.spool_record import (
    CallSummary,
    DecisionRecord,
    RecorderClosed,
    RecorderOpened,
)
from answerable.server.recording.spool_segments import SegmentWriter

WORKER = 2_000_000  # worker number, above every worker and wrapper
MAX_WAITING = 4096  # decisions of hooks that wait to be shipped


def record_hook_decision(
    spool: Path,
    caller: VerifiedCaller,
    call_summary: CallSummary,
    decision: Decision,
    now: int,
) -> str:
    """Write the decision on a hook's tool call to the audit spool.

    Args:
        spool: Folder of all recorders' folders.
        caller: The caller.
        call_summary: The tool call.
        decision: The decision.
        now: UTC nanoseconds.

    Returns:
        Id of the decision.

    Raises:
        EnvironmentFailure: It cannot be kept, so the call must not happen.
    """
    if _count_unshipped_records(spool) >= MAX_WAITING:
        raise EnvironmentFailure(
            f"{MAX_WAITING} decisions of hooks are waiting in {spool}",
            "to ship them, run the gateway: answerable serve --config FILE",
        )
    name = HOOK_PREFIX + secrets.token_hex(8)
    key = build_event_id(now, get_log_source_of_recorder(name), name, b"2").hex()
    records = (
        RecorderOpened(1, now, name, WORKER, "", 0),
        DecisionRecord(2, now, key, caller, call_summary, decision),
        RecorderClosed(3, now),
    )
    data, chain = encode_spool_lines(
        map(encode_record, records), initial_chain_hash(name)
    )
    segments = SegmentWriter(spool, name, room=0)  # no more lines will come
    try:
        segments.write(data, chain)
    except OSError as error:
        raise EnvironmentFailure(
            f"the decision cannot be recorded ({error.strerror})", f"see {spool}"
        ) from None
    finally:
        segments.close()
    return key


def _count_unshipped_records(spool: Path) -> int:
    """Count the hook records in the spool that are not yet shipped."""
    try:
        return sum(1 for _ in spool.glob(f"{HOOK_PREFIX}*"))
    except OSError:
        return 0
