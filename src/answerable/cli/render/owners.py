"""Renderers of owners and owner keys."""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.screen import Screen
from answerable.cli.render.table import Column, table
from answerable.model.documents.core import Document
from answerable.model.documents.owners import EvidenceItem, OwnerKeyItem, WhoOwnsItem
from answerable.presentation.owner_evidence import remark
from answerable.presentation.relative_time import ago
from answerable.presentation.text import safe


def who_owns(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render the owner first, then the evidence for each candidate."""
    for item in cast("Sequence[WhoOwnsItem]", document.items):
        person = (item["person"] or "").removeprefix("person:")
        answer = (
            f"{item['state']} {person} {item['score']:.2f}" if person else item["state"]
        )
        yield f"{safe(item['id'])}"
        margin = f" (margin {item['margin']:.2f})" if item["candidates"] else ""
        yield f"owner: {safe(answer)}{margin}"
        for candidate in item["candidates"]:
            yield ""
            yield f"{safe(candidate['person'])} {candidate['score']:.2f}"
            for evidence in candidate["evidence"]:
                yield from screen.wrap("  " + _evidence(evidence, now), "    ")
        if not item["candidates"]:
            yield "no evidence: name the owner with answerable attest ID --owner PERSON"


def _evidence(evidence: EvidenceItem, now: int) -> str:
    """Format a piece of evidence; quotes come from the source verbatim."""
    parts = [f"{evidence['weight']:.2f} {safe(evidence['kind'])}"]
    if evidence["reference"]:
        parts.append(f'"{safe(evidence["reference"])}"')
    parts.append("in " + safe(evidence["place"] or evidence["source"]))
    seen = ago(evidence["observed_at"], now)
    if seen:
        parts.append(f"({seen})")
    if evidence["kind"] == "attestation":
        parts.append(f"with {safe(evidence.get('key', ''))}")
    said = remark(evidence, now)
    if said:
        parts.append(f"[{said}]")
    return " ".join(parts)


def keys(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a row per key."""
    columns = (
        Column("key", 0),
        Column("person", 0),
        Column("is", 1),
        Column("until", 2),
        Column("attests", 4, right=True),
        Column("from", 5),
        Column("enrolled by", 3),
    )
    rows = [
        (
            item["id"],
            item["person"].removeprefix("person:"),
            _key_state(item),
            item["valid_until"][:10],
            str(item["attestations"] or ""),
            item["valid_from"][:10],
            f"{item['enrolled_by']} {item['enrolled_at'][:10]}",
        )
        for item in cast("Sequence[OwnerKeyItem]", document.items)
    ]
    yield from table(columns, rows, screen)


def _key_state(item: OwnerKeyItem) -> str:
    if item["revoked_at"] is None:
        return item["state"].replace("-", " ")
    return f"revoked {item['revoked_at'][:10]}"
