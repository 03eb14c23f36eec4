"""Workflows: which jobs run an agent, who can start them, and as whom."""

import pytest

from answerable.connectors.formats.document_parser import DocumentFormat, parse_document
from answerable.connectors.repo.parse.github_workflow import AgentJob, parse_workflow
from answerable.model.credential import CredentialLifetime
from answerable.model.errors import ParseError
from answerable.model.sighting import Sync

REPLY = "agent:github-actions/shop/claude.yml/reply"


def jobs(text: str) -> tuple[AgentJob, ...]:
    return parse_workflow(
        parse_document(text.encode(), DocumentFormat.YAML, "w.yml").root
    )


def job(step: str, head: str = "on: issues") -> AgentJob:
    (found,) = jobs(f"{head}\njobs:\n  j:\n    steps:\n      - {step}\n")
    return found


def test_a_job_that_runs_an_agent_is_an_unattended_agent(synced: Sync) -> None:
    found = {a.id: a for a in synced.facts.agents if a.kind == "github-actions"}
    assert set(found) == {REPLY, "agent:github-actions/shop/nightly.yaml/codex"}
    reply = found[REPLY]
    assert reply.unattended
    assert reply.runs_as == ("arn:aws:iam::123456789012:role/claude-ci",)
    assert dict(reply.facts) == {
        "client": "claude-code",
        "events": "issue_comment, workflow_dispatch",
        "id-token": "write",
        "outsider-events": "issue_comment",
        "permissions": "contents: read, id-token: write",
        "unpinned-actions": "actions/checkout@v5, "
        "aws-actions/configure-aws-credentials@v5, anthropics/claude-code-action@v1",
        "unpinned-packages": "none",
    }


def test_the_secrets_token_and_role_of_a_job_share_its_scope(synced: Sync) -> None:
    agent = next(a for a in synced.facts.agents if a.id == REPLY)
    found = {
        (item.name, item.cls.value, item.kind, item.lifetime)
        for item in synced.facts.credentials
        if item.scope == agent.scope
    }
    assert found == {
        ("SHARED_KEY", "env-ref", "api-key", CredentialLifetime.UNKNOWN),
        ("ANTHROPIC_API_KEY", "env-ref", "api-key", CredentialLifetime.UNKNOWN),
        ("CI_DB_PASSWORD", "env-ref", "password", CredentialLifetime.UNKNOWN),
        ("role-to-assume", "ambient", "github-oidc", CredentialLifetime.FEDERATED),
        ("GITHUB_TOKEN", "ambient", "github-token", CredentialLifetime.SHORT_LIVED),
    }


def test_the_oidc_token_is_linked_to_the_role_it_is_exchanged_for(
    synced: Sync,
) -> None:
    (link,) = [each for each in synced.facts.links if each.how != "dsn"]
    assert link.how == "federated-trust"
    assert link.identity == "arn:aws:iam::123456789012:role/claude-ci"


@pytest.mark.parametrize(
    ("step", "client"),
    [
        ("uses: anthropics/claude-code-action@v1", "claude-code"),
        ("uses: Anthropics/Claude-Code-Action@0123abc", "claude-code"),
        ("uses: openai/codex-action@v1", "codex"),
        ("uses: google-github-actions/run-gemini-cli@v0", "gemini-cli"),
        ("run: claude -p 'fix it'", "claude-code"),
        ("run: npx -y @anthropic-ai/claude-code@latest -p x", "claude-code"),
        ("run: codex exec x", "codex"),
    ],
)
def test_an_agent_is_recognised_by_action_or_command(step: str, client: str) -> None:
    assert job(step).clients == [client]


@pytest.mark.parametrize(
    "step",
    ["uses: actions/checkout@v5", "run: make claude", "run: echo claude -p", "run: ''"],
)
def test_any_other_step_is_no_agent(step: str) -> None:
    text = f"on: push\njobs:\n  j:\n    steps:\n      - {step}\n"
    assert jobs(text) == ()


@pytest.mark.parametrize(
    ("head", "outsiders"),
    [
        ("on: push", ()),
        ("on: [push, issues]", ("issues",)),
        ("on:\n  issue_comment:\n  schedule:", ("issue_comment",)),
        ("on: pull_request_target", ("pull_request_target",)),
        ("on: pull_request", ()),
    ],
)
def test_the_events_an_outsider_can_cause_are_named(
    head: str, outsiders: tuple[str, ...]
) -> None:
    assert job("uses: openai/codex-action@v1", head).outsider_events == outsiders


@pytest.mark.parametrize(
    ("permissions", "id_token", "writes"),
    [
        ("", False, True),
        ("permissions: {}", False, False),
        ("permissions: read-all", False, False),
        ("permissions: write-all", True, True),
        ("permissions: {contents: write}", False, True),
        ("permissions: {contents: read, id-token: write}", True, False),
    ],
)
def test_permissions_say_what_the_token_may_do(
    permissions: str, id_token: bool, writes: bool
) -> None:
    found = job("uses: openai/codex-action@v1", f"on: issues\n{permissions}")
    assert (found.id_token, found.may_write_contents) == (id_token, writes)


def test_a_static_key_beside_a_role_is_no_federation() -> None:
    text = """
on: push
permissions: {id-token: write}
jobs:
  j:
    steps:
      - uses: openai/codex-action@v1
      - uses: aws-actions/configure-aws-credentials@v5
        with:
          role-to-assume: arn:aws:iam::123456789012:role/x
          aws-access-key-id: ${{ secrets.KEY_ID }}
"""
    (found,) = jobs(text)
    assert found.roles == ["arn:aws:iam::123456789012:role/x"]
    assert "github-oidc" not in {item.kind for item in found.found}


@pytest.mark.parametrize("text", ["a: b", "jobs: [x]", "- x", ""])
def test_a_file_without_jobs_is_no_workflow(text: str) -> None:
    with pytest.raises(ParseError, match="no jobs"):
        jobs(text)


def test_what_stands_above_many_jobs_does_not_multiply_with_them() -> None:
    env = "env:\n" + "".join(f"  K{number}: v\n" for number in range(2_001))
    run = "    steps:\n      - run: claude -p x\n"
    with pytest.raises(ParseError, match="more than 2000 values outside `jobs`"):
        jobs(f"on: push\n{env}jobs:\n  j:\n{run}")
    many = "".join(f"  j{number}:\n{run}" for number in range(501))
    with pytest.raises(ParseError, match="more than 500 jobs that run an agent"):
        jobs(f"on: push\njobs:\n{many}")


def test_a_job_that_holds_another_token_of_github_may_write() -> None:
    head = "on: push\npermissions: {contents: read}"
    run = "{run: claude -p x, env: {GITHUB_PAT: '${{ secrets.GITHUB_PAT }}'}}"
    assert job(run, head).may_write_contents
    assert not job("run: claude -p x", head).may_write_contents
