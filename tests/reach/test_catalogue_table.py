"""Each entry of the escalation catalogue has a rule or a reason, and the page shows it."""

from pathlib import Path

import pytest

from answerable.reach.aws.escalation_rules.registry import (
    EDIT_RULES,
    PASS_ROLE_RULES,
    TAKEOVER_RULES,
)
from answerable.reach.gcp.step_rules import STEP_RULES
from tests.reach.gcp import estates
from tests.reach.test_paths_catalogue import COMPOSED, ENTRIES, GOOGLE_PATHS

PAGE = Path(__file__).parents[2] / "docs" / "reach.md"


def _sources() -> list[str]:
    return [
        rule.source
        for rules in (PASS_ROLE_RULES, TAKEOVER_RULES, EDIT_RULES, STEP_RULES)
        for rule in rules
    ]


def test_every_catalogued_path_has_a_rule_that_names_it_or_a_reason() -> None:
    sources = " ".join(_sources())
    ids = {entry["id"] for entry in ENTRIES}
    assert len(ids) == len(ENTRIES)
    ruled = {one for one in ids if one in sources} | set(COMPOSED)
    out = {entry["id"] for entry in ENTRIES if entry.get("out")}
    assert ruled | out == ids
    assert not ruled & out
    actions = {edit.action for edit in EDIT_RULES} | {"sts:AssumeRole"}
    assert {a for needs in COMPOSED.values() for a in needs} <= actions


def row(entry: dict[str, str]) -> str:
    """An entry as a line of the page's table."""
    return f"| {entry['id']} | {entry['title']} | {entry.get('out') or 'a rule'} |"


def test_the_page_shows_the_catalogue() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [row(entry) for entry in ENTRIES if row(entry) not in page] == []


@pytest.mark.parametrize("path", GOOGLE_PATHS, ids=lambda path: path["id"])
def test_a_catalogued_path_of_google_is_found_and_lost_without_its_permission(
    path: dict[str, str],
) -> None:
    ana, bot = "user:ana@example.com", "bot@p.iam.gserviceaccount.com"

    def ask_with(permissions: list[str]) -> str:
        role = "projects/p/roles/t"
        access = estates.build_estate_access(
            {
                "roles": {role: permissions},
                "bind": [
                    [bot, role, [ana]],
                    ["gs://b", "roles/storage.objectViewer", [f"serviceAccount:{bot}"]],
                ],
            }
        )
        question = [ana, "storage.objects.get", "gs://b/x"]
        return str(estates.ask(access, question, direct=False).verdict)

    assert ask_with([path["title"]]) == "always"
    assert ask_with(["iam.serviceAccounts.get"]) == "never"
