"""Repairs of workflow agents that outsiders can start."""

import subprocess
from pathlib import Path

import pytest

from answerable.connectors.repo.parse.github_workflow import OUTSIDER_EVENTS
from answerable.posture.rules.workflow_fixes import build_outsider_fix
from answerable.services.posture.evidence_lines import LineIndex
from answerable.services.posture.fix_diffs import build_fix_diff
from tests.posture.conftest import Findings, write

MEMBERS = """contains(fromJSON('["OWNER", "MEMBER", "COLLABORATOR"]'), """
PERMISSIONS = "not stated"


def find_text(*events: str) -> str:
    """Return the text of the repair of a workflow with these events."""
    outside = [each for each in events if each in OUTSIDER_EVENTS]
    return build_outsider_fix(outside, events, PERMISSIONS, writes=True).text


@pytest.mark.parametrize(
    ("events", "condition"),
    [
        ("issue_comment", f"{MEMBERS}github.event.comment.author_association)"),
        (
            "pull_request_target",
            f"{MEMBERS}github.event.pull_request.author_association)",
        ),
        ("issues", f"{MEMBERS}github.event.issue.author_association)"),
        ("pull_request_review", f"{MEMBERS}github.event.review.author_association)"),
        (
            "workflow_run",
            "github.event.workflow_run.head_repository.full_name == github.repository",
        ),
        (
            "push, issues",
            "github.event_name == 'push' || (github.event_name == 'issues' && "
            f"{MEMBERS}github.event.issue.author_association))",
        ),
    ],
)
def test_the_condition_is_that_of_the_event(events: str, condition: str) -> None:
    assert f"`if: {condition}`" in find_text(*events.split(", "))


def test_a_trigger_without_an_author_is_removed() -> None:
    text = find_text("watch")
    assert "Remove the trigger `watch`" in text
    assert "author_association" not in text


def write_workflow(root: Path, head: str, job: str = "") -> Path:
    """Write a workflow with an agent."""
    text = (
        f"{head}jobs:\n  a:\n{job}    runs-on: ubuntu-latest\n    steps:\n"
        "      - uses: anthropics/claude-code-action@v1\n"
    )
    files = {".github/workflows/a.yml": text, ".git/HEAD": "ref: refs/heads/main\n"}
    return write(root, files) / ".github/workflows/a.yml"


def build_diff(file: Path) -> str:
    """Build the diff of a workflow's job."""
    edit = build_outsider_fix(["issues"], ["issues"], PERMISSIONS, writes=True).edit
    assert edit is not None
    return build_fix_diff(LineIndex(), f"{file}#/jobs/a", "a.yml", edit)


@pytest.mark.parametrize(
    ("head", "job", "removed", "added"),
    [
        (
            "permissions: write-all\n",
            "",
            ["permissions: write-all"],
            ["permissions: {contents: read}"],
        ),
        (
            "permissions: {contents: write, issues: write}\n",
            "",
            ["permissions: {contents: write, issues: write}"],
            ["permissions: {contents: read, issues: read}"],
        ),
        (
            "permissions: read-all\n",
            "    permissions:\n      contents: write\n      id-token: write\n",
            ["      contents: write"],
            ["      contents: read"],
        ),
        ("", "", [], ["    permissions: {contents: read}"]),
    ],
)
def test_the_diff_changes_the_lines_of_the_workflow(
    head: str, job: str, removed: list[str], added: list[str], tmp_path: Path
) -> None:
    diff = build_diff(write_workflow(tmp_path, f"on: issues\n{head}", job))
    lines = diff.splitlines()[3:]  # after the heads of both files and the hunk
    assert [each[1:] for each in lines if each[0] == "-"] == removed
    assert [each[1:] for each in lines if each[0] == "+"] == added
    assert len(lines) <= len(removed) + len(added) + 1


def test_a_line_with_anything_else_is_not_part_of_the_diff(tmp_path: Path) -> None:
    head = "on: issues\npermissions: write-all # hunter2\n"
    assert not build_diff(write_workflow(tmp_path, head))


def test_a_finding_has_the_patch_of_its_workflow(
    findings: Findings, tmp_path: Path
) -> None:
    root = tmp_path / "shop"
    file = write_workflow(root, "on: pull_request_target\npermissions: write-all\n")
    _, items = findings(f"repo:{root}")
    fix = next(e["fix"] for e in items if e["rule"] == "outsider-triggered-agent")
    assert "github.event.pull_request.author_association" in fix["text"]
    command = ["git", "apply", "--unidiff-zero", "-"]
    subprocess.run(command, input=fix["diff"].encode(), cwd=root, check=True)
    assert "permissions: {contents: read}\njobs" in file.read_text()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("head", "job", "changed"),
    [
        ("", "    name: hunter2\n", "    permissions: {contents: read}"),
        ("permissions: write-all\n", "", "permissions: {contents: read}"),
        ("", "    permissions:\n      issues: write\n", "      issues: read"),
    ],
)
def test_a_plain_git_apply_changes_the_job_itself(
    head: str, job: str, changed: str, end: str, tmp_path: Path
) -> None:
    # Without context, git takes an edit for the end of the file: another job's.
    file = write_workflow(tmp_path, f"on: issues\n{head}", job)
    text = file.read_text().rstrip("\n") + "\n  b:\n    runs-on: ubuntu-latest\n"
    file.write_bytes(text.replace("\n", end).encode())
    diff = build_diff(file).replace("a.yml", ".github/workflows/a.yml")
    assert "hunter2" not in diff

    subprocess.run(["git", "apply", "-"], input=diff.encode(), cwd=tmp_path, check=True)

    found = file.read_bytes().decode()
    assert found.count("\n") == found.count(end)
    assert f"{changed}{end}" in found.partition("  b:")[0]
