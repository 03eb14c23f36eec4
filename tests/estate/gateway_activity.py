"""Work of an agent through a gateway, and a draft, an owner and a case about it."""

import time
from dataclasses import replace
from pathlib import Path

from msgspec import structs

from answerable.baseline.profile_document import encode_profile
from answerable.evidence.case_records import CaseRecordKind
from answerable.model.ids import AgentId, build_event_id
from answerable.model.inventory import Inventory
from answerable.model.spool_record import (
    DecisionRecord,
)
from answerable.services.baseline.profile_learning import BASELINE
from answerable.services.evidence import cases
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence import ship_spool
from answerable.usecases.inventory import ownership
from tests.baseline.bank_scenario import (
    ALICE,
    BILLS,
    EVE,
    PAY,
    SUBJECT,
    learned,
    step,
)
from tests.baseline.watched_work import record_work
from tests.connectors.gateway.spool_files import (
    ACT,
    CALLER,
    DENY,
    NAME,
    closed,
    spelled,
    write,
)
from tests.estate.removal_questions import DEVELOPER, USER
from tests.inventory.fact_builders import DAY
from tests.usecases.owned_store import ANA, A, enroll

TITLE = "Customer data"
_ASKED = f"pay {ALICE}"
_WORK = (step(BILLS, _ASKED, name="bill"), step(PAY, to=ALICE, amount=20))
_STRANGE = (step(PAY, to=EVE, amount=20),)
_PROFILE = structs.replace(
    learned(_WORK, asked=_ASKED),
    subject=structs.replace(SUBJECT, agent=AgentId(DEVELOPER)),
)


def write_gateway_spool(spool: Path) -> str:
    """Write allowed calls and a denied one; give the id of its decision."""
    now = time.time_ns()
    caller = replace(CALLER, agent=AgentId(DEVELOPER), principal=USER)
    runs = [(script, now - DAY // 2, caller) for script in (_WORK, _STRANGE)]
    records = record_work(runs, _ASKED)
    number, at = len(records) + 1, now - DAY // 4
    held = build_event_id(at, "gateway", NAME, str(number).encode()).hex()
    act = structs.replace(ACT, server="bank", name="pay")
    records.append(DecisionRecord(number, at, held, caller, act, DENY))
    write(spool, spelled([*records, closed(number + 1)]))
    return held


def record_activity(
    root: Path, spool: Path | None, events: list[str], inventory: Inventory
) -> str:
    """Ship a spool, and record an owner, a draft and a case; give the draft's digest.

    Args:
        root: Store.
        spool: Of a gateway; None for none.
        events: Ids of events that the case names, whether the store has them or not.
        inventory: Of all sources: the owner signed before one was removed.
    """
    now = time.time_ns()
    with EvidenceStore.open(root, now=now, create=False) as store:
        if spool is not None:
            ship_spool.ship_spool(store, spool, now=now)
        enroll(store, A, ANA, at=now)
        ownership.record_attestation(store, inventory, DEVELOPER, ANA, A, now=now)
        case = cases.open_case(store, TITLE, "ana", now)
        named = [(CaseRecordKind.EVENT, each, "") for each in events]
        cases.append_case_records(store, case, named, "ana", now)
        return store.put_object(BASELINE, encode_profile(_PROFILE), now)
