"""Workflow files: triggers, permissions, secrets, runners and texts of outsiders."""

import pytest

from answerable.connectors.formats.document_parser import DocumentFormat, parse_document
from answerable.connectors.formats.workflow_definition import parse_workflow_definition
from answerable.model.errors import ParseError
from answerable.reach.github.catalogue import Workflow, WorkflowJob


def parse(text: str) -> Workflow:
    root = parse_document(text.encode(), DocumentFormat.YAML, "ci.yml").root
    return parse_workflow_definition(root, ".github/workflows/ci.yml", "main", "ci.yml")


def parse_job(job: str, above: str = "on: push\n") -> WorkflowJob:
    indented = "\n".join(f"    {line}" for line in job.splitlines())
    (found,) = parse(f"{above}jobs:\n  one:\n{indented}\n").jobs
    return found


@pytest.mark.parametrize(
    ("on", "triggers", "branches"),
    [
        ("push", ("push",), ()),
        ("[push, issues]", ("issues", "push"), ()),
        ("{push: {branches: [main, 'release/*']}}", ("push",), ("main", "release/*")),
        ("{push: {branches: [main]}, pull_request: }", ("pull_request", "push"), ()),
        ("{push: {tags: ['v*']}}", ("push",), ()),
    ],
)
def test_triggers(
    on: str, triggers: tuple[str, ...], branches: tuple[str, ...]
) -> None:
    workflow = parse(f"on: {on}\njobs: {{}}\n")
    assert (workflow.triggers, workflow.branches) == (triggers, branches)


@pytest.mark.parametrize(
    ("above", "job", "permissions"),
    [
        ("", "", None),
        ("permissions: write-all\n", "", (("all", "write"),)),
        ("permissions: {}\n", "", ()),
        (
            "permissions: write-all\n",
            "permissions: {contents: read}",
            (("contents", "read"),),
        ),
        ("", "permissions: {id-token: write}", (("id-token", "write"),)),
    ],
)
def test_permissions(
    above: str, job: str, permissions: tuple[tuple[str, str], ...] | None
) -> None:
    assert (
        parse_job(f"runs-on: x\n{job}", f"on: push\n{above}").permissions == permissions
    )


@pytest.mark.parametrize(
    ("job", "secrets"),
    [
        ("env: {A: '${{ secrets.ONE }}'}", ("ONE",)),
        ("env: {A: \"${{ secrets['two'] }}\"}", ("TWO",)),
        ("env: {A: '${{ secrets[matrix.name] }}'}", ("*",)),
        ("env: {A: '${{ toJSON(secrets) }}'}", ("*",)),
        ("env: {A: '${{ secrets.GITHUB_TOKEN }}'}", ()),
        ("uses: ./.github/workflows/x.yml\nsecrets: inherit", ("*",)),
        ("env: {A: secrets.ONE}", ()),
        ("environment: secrets", ()),
    ],
)
def test_secrets(job: str, secrets: tuple[str, ...]) -> None:
    assert parse_job(job).secrets == secrets


def test_secrets_above_the_jobs_are_read_by_each() -> None:
    assert parse_job("runs-on: x", "env: {A: '${{ secrets.ONE }}'}\n").secrets == (
        "ONE",
    )


@pytest.mark.parametrize(
    ("job", "environment", "runner"),
    [
        ("runs-on: ubuntu-latest", "", ("ubuntu-latest",)),
        (
            "environment: prod\nruns-on: [self-hosted, gpu]",
            "prod",
            ("self-hosted", "gpu"),
        ),
        (
            "environment: {name: prod}\nruns-on: {group: big, labels: linux}",
            "prod",
            ("linux", "group:big"),
        ),
        ("environment: '${{ inputs.e }}'\nruns-on: '${{ matrix.os }}'", "*", ("*",)),
    ],
)
def test_environment_and_runner(
    job: str, environment: str, runner: tuple[str, ...]
) -> None:
    found = parse_job(job)
    assert (found.environment, found.runner) == (environment, runner)


@pytest.mark.parametrize(
    ("script", "injections"),
    [
        ("echo ${{ github.event.issue.title }}", ("github.event.issue.title",)),
        ("echo ${{ github.head_ref }}", ("github.head_ref",)),
        (
            "echo ${{ format('{0}', github.event.commits[0].message) }}",
            ("github.event.commits[0].message",),
        ),
        ("echo '${{ toJSON(github.event) }}'", ("github.event",)),
        (
            "echo ${{ github.event.pull_request.head.ref }}",
            ("github.event.pull_request.head.ref",),
        ),
        ("echo ${{ github.event.pull_request.base.ref }}", ()),
        ("echo ${{ github.event.pull_request.number }}", ()),
        ("echo ${{ github.event.repository.name }}", ()),
        ("echo ${{ github.sha }} $TITLE", ()),
        ("echo ${{ env.TITLE }}", ("env.TITLE",)),
        ("echo ${{ env.OTHER }}", ()),
    ],
)
def test_texts_of_outsiders_in_a_script(
    script: str, injections: tuple[str, ...]
) -> None:
    above = "env: {TITLE: '${{ github.event.issue.title }}', OTHER: x}\n"
    assert parse_job(f'steps:\n  - run: "{script}"', above).injections == injections


@pytest.mark.parametrize(
    ("step", "checks_out"),
    [
        ("{uses: actions/checkout@v4}", False),
        (
            "{uses: actions/checkout@v4, with: "
            "{ref: '${{ github.event.pull_request.head.sha }}'}}",
            True,
        ),
        (
            "{uses: actions/checkout@v4, with: {ref: 'refs/pull/${{ github.event.number "
            "}}/merge'}}",
            True,
        ),
        ("{run: gh pr checkout 3}", True),
        ("{run: git fetch origin pull/3/head}", True),
        ("{run: git fetch origin main}", False),
    ],
)
def test_checkout_of_a_pull_request(step: str, checks_out: bool) -> None:
    assert parse_job(f"steps:\n  - {step}").checks_out_head is checks_out


@pytest.mark.parametrize("text", ["on: push\n", "jobs: []\n", "a: [", "- 1\n"])
def test_what_is_no_workflow_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        parse(text)
