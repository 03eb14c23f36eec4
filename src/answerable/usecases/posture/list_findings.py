"""List the findings of a snapshot, gravest first."""

from dataclasses import replace

from answerable.model.documents.shared_shapes import Document
from answerable.model.inventory import Inventory
from answerable.posture.severity import is_at_least
from answerable.services.posture.finding_documents import (
    build_findings_document,
    compute_findings,
)
from answerable.store.store import EvidenceStore


def list_findings(
    store: EvidenceStore,
    inventory: Inventory,
    *,
    now: int,
    owner: str = "",
    platform: str = "",
    fail_on: str = "",
) -> Document:
    """List findings, then the rules that could not be evaluated.

    Args:
        now: UTC nanoseconds.
        owner: Only findings of this person.
        platform: Only findings of this platform.
        fail_on: The document has failed if an open finding is as grave.
    """
    found = compute_findings(inventory, now=now, store=store)
    items = [
        each
        for each in found
        if platform in ("", each["platform"])
        and owner in ("", each["owner"]["person"], each["assigned"])
    ]
    document = build_findings_document(inventory, items, now=now)
    failed = bool(fail_on) and any(
        each["state"] == "open" and is_at_least(each["severity"], fail_on)
        for each in items
    )
    return replace(document, failed=failed)
