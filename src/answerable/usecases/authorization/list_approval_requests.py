"""List approval requests and signed policy exceptions (command `asks`)."""

from answerable.model.documents.shared_shapes import Document
from answerable.presentation.answer_coverage import format_time
from answerable.presentation.command_hints import format_command
from answerable.services.authorization import decision_records
from answerable.services.authorization.approval_requests import (
    build_approval_request_item,
    build_exception_item,
    find_approval_request,
    group_blocked_calls,
    may_be_open,
)
from answerable.services.authorization.decision_output import build_decision_coverage
from answerable.services.authorization.decision_records import SpooledDecisions
from answerable.services.statements.policy_exceptions import read_policy_exceptions
from answerable.store.store import EvidenceStore


def list_approval_requests(
    store: EvidenceStore,
    spool: decision_records.SpoolPlaces,
    *,
    now: int,
    since: int,
    state: str = "",
    agent: str = "",
) -> Document:
    """List denied calls that await an owner's approval, newest first.

    Args:
        store: Store of decisions and answers.
        spool: Spool of decisions that are not shipped yet; None if there is none.
        now: UTC nanoseconds.
        since: Earliest decision time, UTC nanoseconds.
        state: Only requests in that state; empty for all.
        agent: Only requests of this agent; empty for all.
    """
    waiting = decision_records.read_spool(spool)
    said = read_policy_exceptions(store, now)
    requests = group_blocked_calls(store, waiting, since, agent)
    items = [
        build_approval_request_item(each, said, now)
        for each in requests
        if state != "open" or may_be_open(each, now)
    ]
    kept = [each for each in items if state in ("", each["state"])]
    first = next((each for each in kept if each["state"] == "open"), None)
    following = format_command("asks", "show", first["id"]) if first else ""
    searched = ""
    if not kept:
        every = group_blocked_calls(store, waiting, since) if agent else requests
        count = f"0 of {len(every)} match" if every else "none"
        searched = f"{count} since {format_time(since)}"
    covered = build_decision_coverage(store, waiting)
    return Document("asks", kept, covered, next=following, searched=searched)


def show_approval_request(
    store: EvidenceStore,
    spool: decision_records.SpoolPlaces,
    decision_id: str,
    *,
    now: int,
) -> Document:
    """Show one approval request, found by the id of any of its decisions.

    Raises:
        UsageError: The decision does not exist, or an owner cannot lift it.
    """
    waiting = decision_records.read_spool(spool)
    ask = find_approval_request(store, waiting, decision_id)
    said = read_policy_exceptions(store, now)
    shown = build_approval_request_item(ask, said, now)
    following = ""
    if shown["state"] != "allowed":
        following = format_command(
            "asks", "allow", shown["id"], "--key", "KEY", "--for", "1h"
        )
    return Document(
        "asks", [shown], build_decision_coverage(store, waiting), next=following
    )


def list_policy_exceptions(store: EvidenceStore, *, now: int) -> Document:
    """List all signed policy exceptions, newest first."""
    said = read_policy_exceptions(store, now)
    items = [build_exception_item(each) for each in reversed(said.statuses)]
    searched = ""
    if said.rejected and not items:
        searched = (
            f"{len(said.rejected)} signed; of the newest: {said.rejected[-1].why}"
        )
    return Document(
        "amendments",
        items,
        build_decision_coverage(store, SpooledDecisions()),
        searched=searched,
    )
