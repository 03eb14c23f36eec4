"""Parse GitHub workflows: jobs that run an AI agent, triggers and credentials.

Source: GitHub Docs, "Workflow syntax for GitHub Actions". A job's secrets, its token
and the roles it may assume are credentials of the agent in it: they share its scope.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from answerable.connectors.formats.agent_clients import ClientConfigFile
from answerable.connectors.formats.credential_locations import (
    FoundCredential,
    NamedText,
    find_in_credential_field,
    find_in_environment,
    find_in_variable,
)
from answerable.connectors.formats.credential_name import credential_kind_of_name
from answerable.connectors.formats.document_node import DocumentNode, walk_scalars
from answerable.connectors.formats.mcp_server_entry import McpServerEntry
from answerable.connectors.formats.mcp_server_map import parse_server_maps
from answerable.connectors.formats.platform_identity import (
    PlatformIdentity,
    build_google_account_identity,
    build_workload_pool_identity,
)
from answerable.connectors.formats.redaction import make_printable_line
from answerable.connectors.repo.parse.action_pins import list_unpinned_actions
from answerable.connectors.repo.parse.step_packages import list_unpinned_packages
from answerable.connectors.repo.parse.step_script import (
    find_embedded_json,
    find_script_literals,
)
from answerable.model.credential import CredentialClass
from answerable.model.errors import IdError, ParseError
from answerable.model.ids import Arn

STEPS_LIMIT = 2_000
# What stands above the jobs is read for each of them, so both are bounded.
JOBS_LIMIT = 500
SHARED_LIMIT = 2_000
_BLOCKS = ("env", "with", "secrets")
# Actions that run an AI agent, by the repository that publishes them. The definitions
# (`action.yml`) were compared on 2026-11-29, but for those of anthropics/
# claude-code-base-action, github/copilot-cli-action, sst/opencode (now anomalyco),
# continuedev and all-hands-ai, which are known from workflows that use them.
AGENT_ACTIONS = {
    "anthropics/claude-code-action": "claude-code",
    "anthropics/claude-code-base-action": "claude-code",
    "anthropics/claude-code-security-review": "claude-code",
    "openai/codex-action": "codex",
    "google-github-actions/run-gemini-cli": "gemini-cli",
    "google-gemini/gemini-cli-action": "gemini-cli",
    "github/copilot-cli-action": "copilot",
    "actions/ai-inference": "github-models",
    "sst/opencode/github": "opencode",
    "anomalyco/opencode/github": "opencode",
    "qodo-ai/pr-agent": "pr-agent",
    "codium-ai/pr-agent": "pr-agent",
    "augmentcode/augment-agent": "auggie",
    "augmentcode/review-pr": "auggie",
    "continuedev/continue/actions/general-review": "continue",
    "all-hands-ai/openhands-resolver": "openhands",
}
# Commands that start one without an action.
AGENT_COMMANDS = {
    "claude": "claude-code",
    "codex": "codex",
    "gemini": "gemini-cli",
    "copilot": "copilot",
    "opencode": "opencode",
    "goose": "goose",
    "cursor-agent": "cursor",
    "aider": "aider",
    "auggie": "auggie",
    "q": "amazon-q",
    "kiro-cli": "kiro",
}
_HEADLESS = ("-p", "--print", "exec", "run", "--prompt", "--message", "chat", "-m")
# Events that someone without write access can cause.
OUTSIDER_EVENTS = frozenset(
    str.split(
        "issue_comment issues pull_request_target pull_request_review "
        "pull_request_review_comment discussion discussion_comment fork watch "
        "workflow_run"
    )
)
_ROLE_ACTION = "aws-actions/configure-aws-credentials"
_GOOGLE_ACTION = "google-github-actions/auth"
_INLINE = ClientConfigFile("github-actions", "")


@dataclass(slots=True)
class AgentJob:
    """Job that runs an AI agent.

    Attributes:
        job: Key of the job.
        pointer: JSON pointer of the job.
        clients: Clients it runs.
        outsider_events: Trigger events that an outsider can cause.
        events: All trigger events.
        permissions: `SCOPE: ACCESS` of its token; empty if not stated.
        id_token: True if it may request an OIDC token.
        roles: Role ARNs it assumes.
        google: Google Cloud identities it signs in as.
        servers: MCP servers given inline.
        found: Secrets, tokens and roles.
        steps: Steps that run an agent, each with its client.
        unpinned: Actions of its steps whose code can change without a commit here.
        packages: Packages that its steps start without a fixed version.
    """

    job: str
    pointer: str
    clients: list[str]
    outsider_events: tuple[str, ...]
    events: tuple[str, ...]
    permissions: tuple[tuple[str, str], ...]
    id_token: bool
    roles: list[str] = field(default_factory=list)
    google: list[PlatformIdentity] = field(default_factory=list)
    servers: list[McpServerEntry] = field(default_factory=list)
    found: list[FoundCredential] = field(default_factory=list)
    steps: list[tuple[str, DocumentNode]] = field(default_factory=list)
    unpinned: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()

    @property
    def may_write_contents(self) -> bool:
        """Return whether it may change files; True if not stated.

        A secret with a GitHub token may allow more than the job's own token.
        """
        stated = dict(self.permissions)
        other = any(
            found.kind == "github-token" and found.cls is not CredentialClass.AMBIENT
            for found in self.found
        )
        return (
            not stated
            or other
            or "write" in (stated.get("contents"), stated.get("all"))
        )


def parse_workflow(root: DocumentNode) -> tuple[AgentJob, ...]:
    """Return the jobs that run an AI agent, in file order.

    Raises:
        ParseError: The document is not a workflow, or too large.
    """
    jobs = root.get("jobs")
    if jobs is None or not jobs.is_object:
        raise ParseError("not a workflow: the file has no jobs")
    shared = (
        leaf for key in _BLOCKS if (at := root.get(key)) for leaf in walk_scalars(at)
    )
    if sum(1 for _ in shared) > SHARED_LIMIT:
        raise ParseError(
            f"the workflow has more than {SHARED_LIMIT} values outside `jobs`"
        )
    found: list[AgentJob] = []
    for name, job in jobs.members():
        steps = list((job.get("steps") or DocumentNode("", None)).items())[:STEPS_LIMIT]
        runs = list(
            dict.fromkeys(
                client for step in steps for client in _find_step_clients(step)
            )
        )
        if runs and len(found) >= JOBS_LIMIT:
            raise ParseError(f"more than {JOBS_LIMIT} jobs that run an agent")
        if runs:
            found.append(_build_agent_job(root, name, job, steps, runs))
    return tuple(found)


def _build_agent_job(
    root: DocumentNode,
    name: str,
    job: DocumentNode,
    steps: list[DocumentNode],
    runs: list[str],
) -> AgentJob:
    """Build a job with the events, permissions and credentials of its steps."""
    events = _read_trigger_events(root)
    permissions = _read_permissions(job) or _read_permissions(root)
    stated = dict(permissions)
    read = AgentJob(
        job=name,
        pointer=job.pointer,
        clients=runs,
        outsider_events=tuple(event for event in events if event in OUTSIDER_EVENTS),
        events=events,
        permissions=permissions,
        id_token="write" in (stated.get("id-token"), stated.get("all")),
        steps=[(client, step) for step in steps for client in _find_step_clients(step)],
        unpinned=list_unpinned_actions(each.text_at("uses") for each in steps),
        packages=list_unpinned_packages(each.text_at("run") for each in steps),
    )
    for holder in (root, job, *steps):
        for key in _BLOCKS:
            block = holder.get(key)
            if block is not None:
                _read_env_block(block, read)
        script = holder.get("run")
        if script is not None:
            position = NamedText("run", script.pointer, script.text())
            read.found += (
                *_find_secret_references(position),
                *find_script_literals(position),
            )
            read.servers += _read_inline_servers(script, script.text())
    for step in steps:
        _add_assumed_aws_role(step, read)
        _read_google_login(step, read)
    read.found.append(
        FoundCredential(
            "GITHUB_TOKEN",
            job.pointer + "/permissions" if job.get("permissions") else job.pointer,
            CredentialClass.AMBIENT,
            "github-token",
            "GITHUB_TOKEN",
        )
    )
    read.found = list(dict.fromkeys(read.found))
    return read


def _find_step_clients(step: DocumentNode) -> Iterator[str]:
    """Yield the agent clients that a step runs, by action or command."""
    action = step.text_at("uses").partition("@")[0].lower()
    if action in AGENT_ACTIONS:
        yield AGENT_ACTIONS[action]
    for line in step.text_at("run").split("\n")[:STEPS_LIMIT]:
        words = line.split()[:50]
        if words[:1] == ["npx"]:
            words = [word for word in words[1:] if word not in ("-y", "--yes")]
        if not words:
            continue
        command = words[0].rpartition("/")[2].partition("@")[0]
        command = {"claude-code": "claude", "gemini-cli": "gemini"}.get(
            command, command
        )
        if command in AGENT_COMMANDS and any(word in _HEADLESS for word in words[1:]):
            yield AGENT_COMMANDS[command]


def _read_trigger_events(root: DocumentNode) -> tuple[str, ...]:
    """Return the names of the events that trigger a workflow."""
    on = root.get("on")
    if on is None:
        return ()
    names = [name for name, _ in on.members()] or list(root.texts("on"))
    return tuple(make_printable_line(name, 60) for name in names)


def _read_permissions(node: DocumentNode) -> tuple[tuple[str, str], ...]:
    """Return the stated token permissions, empty if not stated."""
    block = node.get("permissions")
    if block is None:
        return ()
    if block.text() in ("write-all", "read-all"):
        return (("all", block.text().removesuffix("-all")),)
    stated = [
        (make_printable_line(name, 40), make_printable_line(value.text(), 20))
        for name, value in block.members()
    ]
    return tuple(sorted(stated)) or (("all", "none"),)


def _read_env_block(block: DocumentNode, job: AgentJob) -> None:
    """Add the servers and credentials of an `env` or `with` block to a job."""
    plain: list[NamedText] = []
    for leaf in walk_scalars(block):
        name = leaf.pointer.rpartition("/")[2]
        text = leaf.text()
        position = NamedText(name, leaf.pointer, text)
        if "{" in text and "mcpServers" in text:
            job.servers += _read_inline_servers(leaf, text)
        secrets = _find_secret_references(position)
        job.found += secrets
        if not secrets and "\n" not in text and "${{" not in text:
            plain.append(position)
    # An AWS key and its id are one credential; names in lists say nothing together.
    named = {position.name for position in plain}
    if len(named) == len(plain):
        job.found += find_in_environment(plain)
    else:
        job.found += (each for position in plain for each in find_in_variable(position))


def _read_inline_servers(leaf: DocumentNode, text: str) -> tuple[McpServerEntry, ...]:
    """Read a server map written as JSON inside a text (`mcp_config: |`)."""
    raw = find_embedded_json(text, "mcpServers")
    if raw is None:
        return ()
    return parse_server_maps(_INLINE, DocumentNode(leaf.pointer, raw)).servers


def _find_secret_references(position: NamedText) -> tuple[FoundCredential, ...]:
    """Find `${{ secrets.X }}` anywhere in a text."""
    names: list[str] = []
    text = position.value
    at = 0
    while (start := text.find("${{", at)) >= 0:
        stop = text.find("}}", start)
        if stop < 0:
            break
        inner = text[start + 3 : stop].replace("(", " ").replace(")", " ")
        names += [
            word[8:]
            for word in inner.split()
            if word.startswith("secrets.") and word[8:].replace("_", "").isalnum()
        ]
        at = stop + 2
    found: list[FoundCredential] = []
    # The job's own token is counted once, below, wherever it is handed on.
    for name in dict.fromkeys(name for name in names if name != "GITHUB_TOKEN"):
        reference = NamedText(position.name, position.pointer, "${" + name + "}")
        found += find_in_credential_field(
            reference, credential_kind_of_name(name), literal=False
        )
    return tuple(found)


def _add_assumed_aws_role(step: DocumentNode, job: AgentJob) -> None:
    """Add the AWS role that a step assumes with the job's OIDC token."""
    action = step.text_at("uses").partition("@")[0].lower()
    inputs = step.get("with")
    role = inputs.get("role-to-assume") if inputs is not None else None
    if role is None or not role.text() or action != _ROLE_ACTION:
        return
    arn = role.text().strip()
    try:
        Arn.parse(arn)
    except IdError:
        arn = ""
    if arn and "$" not in arn:
        job.roles.append(arn)
    if job.id_token and inputs is not None and inputs.get("aws-access-key-id") is None:
        job.found.append(
            FoundCredential(
                "role-to-assume",
                role.pointer,
                CredentialClass.AMBIENT,
                "github-oidc",
                f"{job.job}:{arn}",
            )
        )


def _read_google_login(step: DocumentNode, job: AgentJob) -> None:
    """Read a sign-in by workload identity federation.

    Source: https://github.com/google-github-actions/auth. Without `service_account` the
    job acts as a member of the pool itself.
    """
    action = step.text_at("uses").partition("@")[0].lower()
    inputs = step.get("with")
    if inputs is None or action != _GOOGLE_ACTION:
        return
    provider = inputs.get("workload_identity_provider")
    account = inputs.text_at("service_account")
    if provider is None or not provider.text():
        return
    identity = build_workload_pool_identity(provider.text())
    if account:
        stated = "@" in account and "$" not in account
        identity = build_google_account_identity(account) if stated else None
    if identity is not None:
        job.google.append(identity)
    if job.id_token:
        job.found.append(
            FoundCredential(
                "workload_identity_provider",
                provider.pointer,
                CredentialClass.AMBIENT,
                "github-oidc",
                f"{job.job}:{identity.id if identity else ''}",
            )
        )
