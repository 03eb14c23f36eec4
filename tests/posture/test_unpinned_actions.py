"""Actions of workflow agents that a branch or a tag names."""

from dataclasses import replace
from pathlib import Path

import pytest

from answerable.connectors.repo.parse.action_pins import list_unpinned_actions
from answerable.model.agent import NO_ACTIONS, UNPINNED_ACTIONS
from answerable.model.inventory import AgentEntity
from answerable.posture.rule import Finding, NotEvaluated, RuleResult
from answerable.posture.rules.actions import find_unpinned_actions
from tests.posture.conftest import Diff
from tests.posture.pull_requests import Files, write_checkouts
from tests.posture.test_rules import AGENT, agent, facts

COMMIT = "08c6903cd8c0fde910a37f88322edcfb5dd907a8"
DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    "uses",
    [
        f"acme/setup@{COMMIT}",
        f"acme/setup/path@{COMMIT}",
        "./.github/actions/prepare",
        f"docker://acme/scan@{DIGEST}",
        "",
    ],
)
def test_a_commit_a_digest_and_a_path_are_fixed(uses: str) -> None:
    assert list_unpinned_actions([uses]) == ()


@pytest.mark.parametrize(
    "uses",
    [
        "acme/setup@v1",
        "acme/setup@v1.2.3",
        "acme/setup@main",
        f"acme/setup@{COMMIT[:7]}",
        f"acme/setup@{COMMIT.upper()}x",
        f"acme/setup@main@{COMMIT}",
        f"acme/setup@{COMMIT}\nx",
        "acme/setup",
        "../setup",
        "docker://acme/scan:1.2",
        "docker://acme/scan",
    ],
)
def test_a_branch_a_tag_and_an_image_tag_can_be_moved(uses: str) -> None:
    assert len(list_unpinned_actions([uses, uses])) == 1


def evaluate(*stated: tuple[str, str]) -> list[RuleResult]:
    """Evaluate the rule for a workflow agent with these facts."""
    known = facts()
    job = replace(agent(facts=stated), kind="github-actions")
    entity = AgentEntity(job, (), ())
    inventory = replace(known.inventory, agents={AGENT: entity})
    return [*find_unpinned_actions(replace(known, inventory=inventory))]


def test_a_scan_without_the_actions_is_not_evaluated() -> None:
    (missing,) = evaluate()
    assert isinstance(missing, NotEvaluated)
    assert evaluate((UNPINNED_ACTIONS, NO_ACTIONS)) == []
    (found,) = evaluate((UNPINNED_ACTIONS, "acme/a@v1, acme/b@v2"))
    assert isinstance(found, Finding)
    assert found.causes == ("action acme/a@v1", "action acme/b@v2")


def test_an_action_that_loses_its_commit_is_a_change(
    tmp_path: Path, diff: Diff
) -> None:
    def pin(files: Files) -> None:
        files[".github/workflows/ai.yml"] = files[".github/workflows/ai.yml"].replace(
            "@v1", f"@{COMMIT}"
        )

    base, head = write_checkouts(tmp_path, pin)
    code, (lost,) = diff(head, base, "--fail-on", "low")
    assert "unpinned-actions none -> anthropics/claude-code-action@v1" in lost["text"]
    assert (code, lost["severity"]) == (1, "low")
    code, (gained,) = diff(base, head, "--fail-on", "low")
    assert (code, gained["severity"]) == (0, "none")
