"""docs/ownership.md says the numbers that the code uses."""

import re
from pathlib import Path

from answerable.inventory.ownership_score import (
    ASSIGN_THRESHOLD,
    ATTESTATION_LIFETIME,
    HALF_LIFE,
    MARGIN_THRESHOLD,
    WEIGHTS,
)
from answerable.model.person import LISTED_OWNER_STATES
from tests.inventory.fact_builders import DAY


def test_the_page_tells_every_kind_with_its_weight(root: Path) -> None:
    page = (root / "docs" / "ownership.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `([a-z-]+)` \| ([0-9.]+) \|", page, re.MULTILINE))
    assert told == {kind.value: f"{w.weight:.2f}" for kind, w in WEIGHTS.items()}


def test_the_page_tells_every_state(root: Path) -> None:
    page = (root / "docs" / "ownership.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `([a-z-]+)` \| [^0-9]", page, re.MULTILINE)
    assert told == list(LISTED_OWNER_STATES)


def test_the_page_tells_the_thresholds(root: Path) -> None:
    page = (root / "docs" / "ownership.md").read_text(encoding="utf-8")
    assert f"at least {ASSIGN_THRESHOLD:.2f}" in page
    assert f"at least {MARGIN_THRESHOLD:.2f} higher" in page
    assert f"every {HALF_LIFE // DAY} days" in page
    assert f"less than {ATTESTATION_LIFETIME // DAY} days ago" in page
