"""Render owners with their evidence."""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.screen import Screen
from answerable.model.documents.owners import (
    OwnerEvidenceItem,
    OwnershipItem,
)
from answerable.model.documents.shared_shapes import Document
from answerable.presentation.owner_evidence import describe_evidence_validity
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
            yield (
                "no evidence: record the owner with answerable attest ID --owner PERSON"
            )


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
    said = describe_evidence_validity(evidence, now)
    if said:
        parts.append(f"[{said}]")
    return " ".join(parts)
