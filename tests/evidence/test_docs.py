"""The worked example of docs/evidence.md is computed, not typed."""

from pathlib import Path

from answerable.evidence.canonical_event import decode_event
from answerable.evidence.log_entries import SegmentManifest
from answerable.evidence.merkle import leaf_hash


def fenced(page: str, language: str, after: str) -> str:
    start = page.index(f"```{language}\n", page.index(after)) + len(language) + 4
    return page[start : page.index("\n```", start)]


def test_the_worked_example_holds(root: Path) -> None:
    page = (root / "docs" / "evidence.md").read_text(encoding="utf-8")
    example = fenced(page, "json", "### Worked example")
    event = decode_event(example.encode())
    assert event.event_id.hex() in page
    assert leaf_hash(example.encode()).hex() == fenced(page, "text", example)


def test_every_member_of_a_manifest_is_explained(root: Path) -> None:
    page = (root / "docs" / "evidence.md").read_text(encoding="utf-8")
    for name in SegmentManifest.__struct_fields__:
        assert f"`{name}`" in page
