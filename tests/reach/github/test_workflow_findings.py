"""Findings about workflow files that bear on reach: docs/github.md lists them.

Own files come first. Those of zizmor's test suite follow where they are present; there,
each finding of a listed kind is found in the parsed file, or its reason is stated here.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from answerable.connectors.formats.document_parser import DocumentFormat, parse_document
from answerable.connectors.formats.workflow_definition import parse_workflow_definition
from answerable.model.errors import ParseError
from answerable.reach.github.catalogue import Workflow
from answerable.reach.github.organization_index import RepositoryPlace
from answerable.reach.github.outside_runs import list_outside_jobs
from answerable.reach.github.workflow_token import get_token_permissions
from tests.reach.github.organization_builder import ask, build_organization, index

_FOLDER = "shared/data/github/zizmor"
_PLACES = [each / _FOLDER for each in Path(__file__).resolve().parents]
SHARED = next((each for each in _PLACES if each.exists()), _PLACES[0])
PATH = ".github/workflows/w.yml"
ON_TARGET = "on: pull_request_target\n"
HEAD = "{ref: '${{ github.event.pull_request.head.sha }}'}"


def parse(text: bytes, path: str = PATH) -> Workflow:
    """Parse a workflow file of the default branch."""
    root = parse_document(text, DocumentFormat.YAML, path).root
    return parse_workflow_definition(root, path, "main", path)


def ask_about(text: str, subject: str, action: str, resource: str, **shop: Any) -> str:
    """Ask about the public repository `shop` with one workflow file."""
    repository = {"visibility": "public", "secrets": ["TOKEN"], **shop}
    organization = build_organization({"repositories": [repository]})
    (built,) = organization.repositories or ()
    built = replace(built, workflows=(parse(text.encode()),))
    organization = replace(organization, repositories=(built,))
    return ask(index(organization), subject, action, resource).verdict


def job(steps: str, more: str = "") -> str:
    """Build a job with steps."""
    return f"jobs:\n  j:\n    runs-on: x\n{more}    steps:\n{steps}"


CHECKOUT = f"      - {{uses: actions/checkout@v4, with: {HEAD}}}\n"
RUN = "      - run: make ${{ secrets.TOKEN }}\n"
TITLE = (
    "      - run: echo '${{ github.event.pull_request.title }}' ${{ secrets.TOKEN }}\n"
)
ISSUE = "      - run: echo '${{ github.event.issue.title }}' ${{ secrets.TOKEN }}\n"
SCRIPT = (
    "      - uses: azure/cli@v2\n        with:\n"
    "          inlineScript: 'echo ${{ github.event.pull_request.body }} ${{ secrets.TOKEN }}'\n"
)
ENV_FILE = (
    "      - env: {T: '${{ github.event.pull_request.title }}', S: '${{ secrets.TOKEN }}'}\n"
    '        run: |\n          m=$(echo "$T")\n          echo "$m" >> $GITHUB_PATH\n'
)
FIXED_ENV_FILE = (
    "      - env: {T: '${{ github.event.pull_request.title }}', S: '${{ secrets.TOKEN }}'}\n"
    '        run: |\n          echo "$T"\n          echo "A=b" >> "$GITHUB_ENV"\n'
)
SECRET = ("*", "read-secret", "shop/secret/TOKEN")
PUSH = (f"workflow/{PATH}", "contents:write", "shop")
RUNNER = ("*", "run-job", "shop/runner/big")


@pytest.mark.parametrize(
    ("text", "asked", "verdict"),
    [
        # An outsider's trigger with a checkout of the head.
        (ON_TARGET + job(CHECKOUT + RUN), SECRET, "only-if"),
        (ON_TARGET + job(RUN), SECRET, "never"),
        ("on: pull_request\n" + job(CHECKOUT + RUN), SECRET, "never"),
        # actions/checkout 7 refuses, unless it is told not to.
        (ON_TARGET + job(CHECKOUT.replace("v4", "v7") + RUN), SECRET, "never"),
        (ON_TARGET + job(CHECKOUT.replace("v4", "v7.1.0") + RUN), SECRET, "never"),
        (
            "on: issue_comment\n" + job(CHECKOUT.replace("v4", "v7") + RUN),
            SECRET,
            "only-if",
        ),
        (
            ON_TARGET
            + job(
                CHECKOUT.replace("v4", "v7").replace(
                    "{ref", "{allow-unsafe-pr-checkout: true, ref"
                )
                + RUN
            ),
            SECRET,
            "only-if",
        ),
        # Injection under an outsider's trigger.
        (ON_TARGET + job(TITLE), SECRET, "only-if"),
        ("on: issues\n" + job(ISSUE), SECRET, "only-if"),
        ("on: push\n" + job(TITLE), SECRET, "never"),
        (ON_TARGET + job(SCRIPT), SECRET, "only-if"),
        (ON_TARGET + job(ENV_FILE), SECRET, "only-if"),
        (ON_TARGET + job(FIXED_ENV_FILE), SECRET, "never"),
        # Permissions of the token.
        ("on: push\npermissions: write-all\n" + job(RUN), PUSH, "always"),
        ("on: push\npermissions: {}\n" + job(RUN), PUSH, "never"),
        (
            "on: push\npermissions: write-all\n"
            + job(RUN, "    permissions: {contents: read}\n"),
            PUSH,
            "never",
        ),
        (
            ON_TARGET + "permissions: write-all\n" + job(TITLE),
            ("*", "contents:write", "shop"),
            "only-if",
        ),
        # Self-hosted runners.
        ("on: pull_request\n" + job(RUN), RUNNER, "only-if"),
    ],
)
def test_a_finding_is_an_answer(
    text: str, asked: tuple[str, str, str], verdict: str
) -> None:
    assert ask_about(text, *asked, runners=["big"]) == verdict


def test_an_environment_keeps_its_secret_from_other_jobs() -> None:
    environments = [{"name": "prod", "reviewers": ["user/eve"], "secrets": ["TOKEN"]}]
    parts = {"collaborators": [["ana", "write"]]}
    inside: dict[str, Any] = {"secrets": [], "environments": environments, **parts}
    text = "on: push\n" + job(RUN)
    asked = ("ana", "read-secret", "shop/secret/TOKEN")
    assert ask_about(text, *asked, **parts) == "always"
    assert ask_about(text, *asked, **inside) == "only-if"


@pytest.mark.parametrize(
    ("matrix", "runner"),
    [
        ("os: [self-hosted, ubuntu-latest]", ("self-hosted", "ubuntu-latest")),
        (
            "os: [macos-latest]\n        include: [{os: self-hosted}]",
            ("macos-latest", "self-hosted"),
        ),
        ("os: '${{ fromJSON(inputs.os) }}'", ("*",)),
        ("arch: [x]", ("*",)),
    ],
)
def test_a_runner_is_read_from_the_matrix(matrix: str, runner: tuple[str, ...]) -> None:
    text = (
        "on: push\njobs:\n  j:\n    runs-on: '${{ matrix.os }}'\n"
        f"    strategy:\n      matrix:\n        {matrix}\n"
    )
    assert parse(text.encode()).jobs[0].runner == runner


# --- Files of zizmor's test suite

NOT_REPRODUCED = {
    # The text is not an outsider's: a login, the owner, values of the file itself.
    ("template-injection", "template-injection/issue-1638-repro.yml"),
    ("template-injection", "template-injection/multiline-expression.yml"),
    ("template-injection", "template-injection/pr-317-repro.yml"),
    ("template-injection", "template-injection/template-injection-static-matrix.yml"),
    # A composite action, and a configuration: no workflow.
    ("template-injection", "template-injection/pr-425-backstop/action.yml"),
    ("unpinned-uses", "template-injection/pr-425-backstop/action.yml"),
    ("unpinned-uses", "unpinned-uses/action.yml"),
    ("unpinned-uses", "unpinned-uses/configs/empty.yml"),
}


def has_finding(audit: str, workflow: Workflow) -> bool:
    """Return whether the facts of a workflow file hold a finding of a kind."""
    organization = build_organization({"default_token_permission": "write"})
    place = RepositoryPlace(
        *next(
            (each, repository)
            for each in index(organization).values()
            for repository in each.repositories.values()
        )
    )
    jobs = workflow.jobs
    if audit in ("template-injection", "github-env"):
        return any(each.injections for each in jobs)
    if audit == "excessive-permissions":
        held = [get_token_permissions(place, each) or {} for each in jobs]
        return any("write" in each.values() for each in held)
    if audit == "secrets-outside-env":
        return any(each.secrets and not each.environment for each in jobs)
    if audit == "self-hosted-runner":
        return any("self-hosted" in each.runner for each in jobs)
    if audit == "unpinned-uses":
        uses = [text for each in jobs for text in (each.uses, *each.actions) if text]
        return any(len(each.partition("@")[2]) != 40 for each in uses)
    return False


LISTED = (
    "template-injection",
    "github-env",
    "excessive-permissions",
    "secrets-outside-env",
    "self-hosted-runner",
    "unpinned-uses",
)


def list_rows() -> Iterator[dict[str, Any]]:
    """List the rows of the suite."""
    if SHARED.exists():
        for line in (SHARED / "expected_shared.jsonl").read_text().splitlines():
            yield json.loads(line)


@pytest.mark.skipif(not SHARED.exists(), reason="no files of zizmor here")
def test_findings_of_the_suite_are_reproduced() -> None:
    missing, found = set(), 0
    for row in list_rows():
        path = SHARED / "workflows" / row["workflow"]
        for finding in row["findings"]:
            if finding["audit"] not in LISTED:
                continue
            key = (finding["audit"], row["workflow"])
            try:
                held = has_finding(finding["audit"], parse(path.read_bytes()))
            except ParseError:
                held = False
            found += held
            if not held:
                missing.add(key)
    assert missing == NOT_REPRODUCED
    assert found >= 25


@pytest.mark.skipif(not SHARED.exists(), reason="no files of zizmor here")
@pytest.mark.parametrize(
    "name",
    [
        "dangerous-triggers/actions-labeler.yml",
        "github-env/issue-2200-repro.yml",
        "template-injection/issue-749-repro.yml",
        "template-injection/issue-418-repro.yml",
    ],
)
def test_files_without_a_finding_let_no_outsider_in(name: str) -> None:
    workflow = parse((SHARED / "workflows" / name).read_bytes())
    organization = build_organization({})
    (built,) = organization.repositories or ()
    built = replace(built, workflows=(workflow,))
    organization = replace(organization, repositories=(built,))
    for each in index(organization).values():
        assert list(list_outside_jobs(RepositoryPlace(each, built))) == []
