"""The worked example of docs/evidence.md is computed, not typed."""

import re
from pathlib import Path

from answerable.evidence.canonical_event import decode_event
from answerable.evidence.journal_format import build_journal_header
from answerable.evidence.log_entries import MANIFEST_SCHEMA, SegmentManifest
from answerable.evidence.merkle import leaf_hash
from answerable.model.event import EVENT_SCHEMA
from answerable.store.store_layout import STORE_SCHEMA


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


def test_every_format_has_its_version_on_the_page(root: Path) -> None:
    page = (root / "docs" / "evidence.md").read_text(encoding="utf-8")
    table = page[page.index("## Versions of the formats") :]
    assert f"| store | {STORE_SCHEMA} |" in table
    assert f"| event | {EVENT_SCHEMA} |" in table
    assert f"| entry of the log | {MANIFEST_SCHEMA} |" in table
    assert "| journal | 3;" in table
    assert build_journal_header("x").startswith(b"answerable journal 3")
    named = re.compile(r'"(answerable/[a-z-]+/v[0-9]+)"')
    for package in ("evidence", "store"):
        for path in (root / "src" / "answerable" / package).glob("*.py"):
            for schema in named.findall(path.read_text(encoding="utf-8")):
                assert f"`{schema}`" in page or "backup" in schema, path
