"""Render owners with their evidence, and owner keys."""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.screen import Screen
from answerable.cli.render.table import TableColumn, render_table
from answerable.model.documents.core import Document
from answerable.model.documents.owners import (
    OwnerEvidenceItem,
    OwnerKeyItem,
    OwnershipItem,
)
from answerable.presentation.owner_evidence import describe_evidence
from answerable.presentation.relative_time import format_ago
from answerable.presentation.text import sanitize


def render_ownership(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render the owner first, then the evidence for each candidate."""
    for item in cast("Sequence[OwnershipItem]", document.items):
        person = (item["person"] or "").removeprefix("person:")
        answer = (
            f"{item['state']} {person} {item['score']:.2f}" if person else item["state"]
        )
        yield f"{sanitize(item['id'])}"
        margin = f" (margin {item['margin']:.2f})" if item["candidates"] else ""
        yield f"owner: {sanitize(answer)}{margin}"
        for candidate in item["candidates"]:
            yield ""
            yield f"{sanitize(candidate['person'])} {candidate['score']:.2f}"
            for evidence in candidate["evidence"]:
                yield from screen.wrap("  " + _format_evidence(evidence, now), "    ")
        if not item["candidates"]:
            yield "no evidence: name the owner with answerable attest ID --owner PERSON"


def _format_evidence(evidence: OwnerEvidenceItem, now: int) -> str:
    """Format a piece of evidence; quotes come from the source verbatim."""
    parts = [f"{evidence['weight']:.2f} {sanitize(evidence['kind'])}"]
    if evidence["reference"]:
        parts.append(f'"{sanitize(evidence["reference"])}"')
    parts.append("in " + sanitize(evidence["place"] or evidence["source"]))
    seen = format_ago(evidence["observed_at"], now)
    if seen:
        parts.append(f"({seen})")
    if evidence["kind"] == "attestation":
        parts.append(f"with {sanitize(evidence.get('key', ''))}")
    said = describe_evidence(evidence, now)
    if said:
        parts.append(f"[{said}]")
    return " ".join(parts)


def render_owner_keys(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a row per key."""
    columns = (
        TableColumn("key", 0),
        TableColumn("person", 0),
        TableColumn("is", 1),
        TableColumn("until", 2),
        TableColumn("attests", 4, right=True),
        TableColumn("from", 5),
        TableColumn("enrolled by", 3),
    )
    rows = [
        (
            item["id"],
            item["person"].removeprefix("person:"),
            _format_key_state(item),
            item["valid_until"][:10],
            str(item["attestations"] or ""),
            item["valid_from"][:10],
            f"{item['enrolled_by']} {item['enrolled_at'][:10]}",
        )
        for item in cast("Sequence[OwnerKeyItem]", document.items)
    ]
    yield from render_table(columns, rows, screen)


def _format_key_state(item: OwnerKeyItem) -> str:
    """Format the state of an owner key, or the day of its revocation."""
    if item["revoked_at"] is None:
        return item["state"].replace("-", " ")
    return f"revoked {item['revoked_at'][:10]}"
