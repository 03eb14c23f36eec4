"""Build a chain's hops at one time: person, agent, tool, identity and its owner.

Session names, user agents and source identities are never read: the caller writes them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from answerable.lineage.chain_statements import list_ancestors
from answerable.lineage.chain_stitching_types import (
    SignIn,
    SourcedChainKey,
    is_long_lived,
    is_platform_service,
)
from answerable.lineage.issuance_path import IssuancePath, PathStep
from answerable.model.ids import is_iam_role_arn
from answerable.model.lineage import CredentialIssuance, DeclaredUse, Hop, HopStatus
from answerable.model.log_sources import WEB

_FEDERATED_PREFIXES = ("oidc:", "saml:")  # they sign in elsewhere, never at the console
_TOKEN_PREFIX = "cred:token/"  # noqa: S105 - the beginning of an id
UsesBySubject = Mapping[str, DeclaredUse]  # by subject, valid at one time
SignInsBySubject = Mapping[str, Sequence[SignIn]]  # by credential or identity


@dataclass(frozen=True, slots=True)
class AgentHops:
    """Agent hop, agents from the root down, and tool hop."""

    agent: Hop
    path: tuple[str, ...]
    tool: Hop


def build_person_hop(
    path: IssuancePath, agent: Hop, uses: UsesBySubject, sign_ins: SignInsBySubject
) -> Hop:
    """Build the person hop: the person responsible for the call.

    In this order: the delegation, launch or sign-in proved by a record; the attested
    owner in a token's record; a sign-in with a session's credential; the agent's owner;
    the key's owner; a sign-in as the same user. A role's owner is never used.
    """
    for step in path.steps:
        if step.person:
            return Hop(step.person, HopStatus.OBSERVED, step.evidence_source)
    owned = path.owner_issuance
    if owned is not None:
        how = f"attested owner of {owned.chain[-1]}: {owned.describe_event()}"
        return Hop(owned.owner, HopStatus.OBSERVED, how)
    sessions = [s.credential for s in path.steps if not is_long_lived(s.credential)]
    return (
        _find_signed_in(sessions, sign_ins)
        or _build_agent_owner_hop(agent, uses)
        or _build_key_owner_hop(path, uses)
        or _find_signed_in(_list_subjects_on_path(path.steps), sign_ins)
        or _infer_creator_of_key(path.key_creation, path.key_creator, sign_ins)
        or Hop("", HopStatus.MISSING, _explain_missing_person_hop(path, agent))
    )


def _build_agent_owner_hop(agent: Hop, uses: UsesBySubject) -> Hop | None:
    """Build the person hop of a chain from the agent's owner; None if unknown."""
    use = uses.get(agent.value) if agent.value else None
    if use is None or not use.person:
        return None
    sure = _get_use_status(use)
    if agent.status is HopStatus.INFERRED:
        sure = HopStatus.INFERRED
    return Hop(use.person, sure, _describe_use_owner(use))


def _build_key_owner_hop(path: IssuancePath, uses: UsesBySubject) -> Hop | None:
    """Build the hop of the owner of the nearest credential or user, roles left out."""
    for subject in _list_subjects_on_path(path.steps):
        use = uses.get(subject)
        if use is not None and use.person and not is_iam_role_arn(subject):
            return Hop(use.person, _get_use_status(use), _describe_use_owner(use))
    return None


def build_owner_hop(path: IssuancePath, uses: UsesBySubject) -> Hop:
    """Build the owner hop of the acting identity, as the inventory declares it."""
    acting = path.steps[0].identity
    use = uses.get(acting) if acting else None
    if use is not None and use.person:
        return Hop(use.person, _get_use_status(use), _describe_use_owner(use))
    gap = f"an owner of {acting}" if acting else "the identity is not known"
    return Hop("", HopStatus.MISSING, gap)


def _describe_use_owner(use: DeclaredUse) -> str:
    source = _describe_use_source(use, use.source)
    return f"{use.owner_state} owner of {use.subject}: {source}"


def _get_use_status(use: DeclaredUse) -> HopStatus:
    return HopStatus.INFERRED if use.hindsight else HopStatus.DECLARED


def _describe_use_source(use: DeclaredUse, source: str) -> str:
    return f"{source}, taken later" if use.hindsight else source


def _list_subjects_on_path(steps: Sequence[PathStep]) -> Iterable[str]:
    both = ((step.credential, step.identity) for step in steps)
    return [subject for each in both for subject in each if subject]


def _find_signed_in(subjects: Iterable[str], sign_ins: SignInsBySubject) -> Hop | None:
    """Find the person of the nearest subject with exactly one signed-in person."""
    for subject in subjects:
        found = sign_ins.get(subject) if subject else None
        signed_in = _select_sign_in_of_only_person(found) if found else None
        if signed_in:
            return _build_hop_from_sign_in(signed_in, f"signed in as {subject}")
    return None


def _infer_creator_of_key(
    creation: CredentialIssuance | None, person: str, sign_ins: SignInsBySubject
) -> Hop | None:
    """Infer the person who created a key, which they may have handed over."""
    if creation is None:
        return None
    what = f"created {creation.credential} ({creation.source} event {creation.event})"
    if person:
        return Hop(person, HopStatus.INFERRED, what)
    by = (creation.parent.credential, creation.parent.identity)
    signed_in = _find_signed_in(by, sign_ins)
    if signed_in is None:
        return None
    return replace(signed_in, source=f"{signed_in.source}, which {what}")


def _select_sign_in_of_only_person(sign_ins: Sequence[SignIn]) -> SignIn | None:
    if len({each.person for each in sign_ins}) != 1:
        return None
    return min(sign_ins, key=lambda each: (each.at, each.event))


def _build_hop_from_sign_in(sign_in: SignIn, description: str) -> Hop:
    told = f"{description} ({sign_in.source} event {sign_in.event})"
    return Hop(sign_in.person, HopStatus.INFERRED, told)


def _describe_unrecorded_issuance(path: IssuancePath) -> str:
    """Describe the missing record that issued the token at the origin; else empty."""
    shown = path.steps[-1].credential
    is_token = shown.startswith(_TOKEN_PREFIX) and not path.cut
    return f"the record that issued {shown} (sts)" if is_token else ""


def _explain_missing_person_hop(path: IssuancePath, agent: Hop) -> str:
    """Return the source that would supply the person."""
    if path.cut:
        return "the issuance records form a cycle"
    if agent.status is HopStatus.OBSERVED:
        unissued = _describe_unrecorded_issuance(path)
        return f"{unissued}{unissued and ', or '}an owner of {agent.value}"
    return _explain_missing_origin(path, agent.value)


def _explain_missing_origin(path: IssuancePath, agent: str) -> str:
    """Return the missing record, or the owner, that would name the person."""
    origin = path.steps[-1]
    owner = f"an owner of {agent or 'the agent'}"
    if is_platform_service(origin.identity):
        return f"the origin is the service {origin.identity}; {owner} would supply it"
    if not origin.identity:
        return "the record contains no identity"
    if not is_iam_role_arn(origin.identity):
        owner = f"an owner of {agent or origin.identity}"
    if (
        origin.credential
        and not is_long_lived(origin.credential)
        and not path.key_creation
    ):
        return f"the STS record that issued {origin.credential}, or {owner}"
    if origin.identity.startswith(_FEDERATED_PREFIXES):
        return owner
    if is_iam_role_arn(origin.identity):
        return f"the STS record of the session of {origin.identity}, or {owner}"
    return f"{owner}, or console sign-in records of {origin.identity}"


def build_identity_hop(path: IssuancePath, tool: str, key: SourcedChainKey) -> Hop:
    """Build the identity hop from the platform's record."""
    acting = path.steps[0]
    if acting.identity:
        return Hop(acting.identity, HopStatus.OBSERVED, acting.evidence_source)
    gap = f"no trusted record of {acting.evidence_source}"
    if tool:
        gap = f"the log of the platform of {tool}"
    elif key.source == WEB:
        gap = "a person signed in to the web page"
    elif not key.believed:
        gap = f"the log of a platform; the {key.source} record is self-reported"
    return Hop("", HopStatus.MISSING, gap)


def build_hops_from_gateway_record(
    chain_key: SourcedChainKey, path: IssuancePath, parents: Mapping[str, str]
) -> AgentHops | None:
    """Build agent and tool hops from a gateway's record, if it names an agent."""
    key, source = chain_key.key, chain_key.source
    if not key.agent or not chain_key.believed:
        return None
    tool = Hop(key.tool, HopStatus.OBSERVED, source)
    if not key.tool:
        tool = Hop("", HopStatus.MISSING, f"the record of {source} contains no tool")
    chains = [each.chain for each in path.agent_issuances]
    line = next((chain for chain in chains if chain[-1] == key.agent), None)
    line = line or list_ancestors(key.agent, parents)
    how = source
    gap = _describe_unrecorded_issuance(path)
    if len(line) == 1 and not path.agent_issuances and gap:
        how = f"{how}; {gap} would supply the person"
    return AgentHops(Hop(key.agent, HopStatus.OBSERVED, how), line, tool)


def build_hops_of_web_request(chain_key: SourcedChainKey) -> AgentHops | None:
    """Build missing agent and tool hops for a person's request to our web page."""
    key = chain_key.key
    from_web = chain_key.source == WEB and chain_key.believed
    if not from_web or key.identity or key.credential:
        return None
    gap = Hop("", HopStatus.MISSING, "a person used the web page without an agent")
    return AgentHops(gap, (), Hop("", HopStatus.MISSING, "the web page; no tool"))


def build_hops_from_token_issuance(path: IssuancePath) -> AgentHops | None:
    """Build the agent hop from the token service's issuance record, if there is one."""
    if not path.agent_issuances:
        return None
    told = path.agent_issuances[0]
    agent = Hop(told.chain[-1], HopStatus.OBSERVED, told.describe_event())
    tool = _build_missing_tool_hop("no gateway recorded the call")
    return AgentHops(agent, told.chain, tool)


def build_hops_from_declared_uses(
    path: IssuancePath, uses: UsesBySubject, parents: Mapping[str, str]
) -> AgentHops:
    """Build agent and tool hops from the declared uses of the inventory.

    Credentials come before identities, since a role may serve many agents.
    """
    subjects = [s.credential for s in path.steps] + [s.identity for s in path.steps]
    standing = [uses[s] for s in dict.fromkeys(subjects) if s and s in uses]
    standing = [use for use in standing if use.agents]
    if not standing:
        gap = Hop("", HopStatus.MISSING, _explain_missing_agent_hop(path))
        return AgentHops(gap, (), _build_missing_tool_hop("the agent is not known"))
    deciding = standing[0]
    left, status = _drop_subagents(deciding.agents, parents), _get_use_status(deciding)
    if is_iam_role_arn(deciding.subject):
        started = SessionStart.find_role_session_start(path, deciding.subject)
        left = {agent for agent in left if started.may_agent_be_caller(agent, uses)}
        if not left:
            missing = Hop("", HopStatus.MISSING, started.missing_agent_reason)
            tool = _build_missing_tool_hop("the agent is not known")
            return AgentHops(missing, (), tool)
        if not all(started.is_agent_named(agent, uses) for agent in left):
            status = HopStatus.INFERRED
    narrowed = False
    for use in standing[1:]:
        common = left & _drop_subagents(use.agents, parents)
        if len(left) > 1 and common:
            left, status, narrowed = common, HopStatus.INFERRED, True
    if len(left) > 1:
        return _build_shared_use_hops(deciding, sorted(left))
    agent = left.pop()
    how = f"uses {deciding.subject}: {_describe_use_source(deciding, deciding.get_declaration_source(agent))}"
    if narrowed:
        how = f"the only agent on the whole path that {how}"
    tool = _build_declared_tool_hop(agent, deciding, status)
    return AgentHops(Hop(agent, status, how), list_ancestors(agent, parents), tool)


@dataclass(frozen=True, slots=True)
class SessionStart:
    """Start of a role session: the role, and the steps behind it, nearest first."""

    role: str
    by: tuple[PathStep, ...]

    @classmethod
    def find_role_session_start(cls, path: IssuancePath, role: str) -> "SessionStart":
        """Find on an issuance path how a role's session was started."""
        at = next(n for n, step in enumerate(path.steps) if step.identity == role)
        return cls(role, path.steps[at + 1 :])

    @property
    def missing_agent_reason(self) -> str:
        """Text for a session that no configured agent started."""
        origin = self.by[-1]
        by = origin.identity or origin.credential or origin.person
        return f"the session of {self.role} was started by {by}, of no known agent"

    def is_agent_named(self, agent: str, uses: UsesBySubject) -> bool:
        """Return whether a record or configuration names the agent as the caller."""
        owner = uses[agent].person if agent in uses else ""
        return any(
            is_platform_service(step.identity)
            or _does_agent_use_subject(agent, uses.get(step.identity))
            or _does_agent_use_subject(agent, uses.get(step.credential))
            or (step.person and step.person == owner)
            or get_workflow_repository(step.identity)
            == _get_repository_of_workflow_agent(agent)
            != ""
            for step in self.by
        )

    def may_agent_be_caller(self, agent: str, uses: UsesBySubject) -> bool:
        """Return whether no record names a caller other than the agent."""
        if not self.by or self.is_agent_named(agent, uses):
            return True
        is_workflow = agent.startswith(_WORKFLOW_PREFIX)
        if not is_workflow or _get_repository_of_workflow_agent(agent):
            return False
        return any(get_workflow_repository(step.identity) for step in self.by)


def _does_agent_use_subject(agent: str, use: DeclaredUse | None) -> bool:
    return use is not None and agent in use.agents


_WORKFLOW_PREFIX = "agent:github-actions/"


def get_workflow_repository(identity: str) -> str:
    """Return the repository in a workflow's subject, in lower case, or empty.

    Source: GitHub Docs, "OpenID Connect reference", example subject claims.
    """
    if not identity.startswith("oidc:"):
        return ""
    _, found, rest = identity.partition("/repo:")
    return rest.partition(":")[0].lower() if found else ""


def _get_repository_of_workflow_agent(agent: str) -> str:
    """Return the repository of a workflow's agent, in lower case, or empty."""
    parts = agent.removeprefix(_WORKFLOW_PREFIX).split("/")
    if not agent.startswith(_WORKFLOW_PREFIX) or len(parts) < 4:
        return ""
    return "/".join(parts[:2]).lower()


def _drop_subagents(agents: Iterable[str], parents: Mapping[str, str]) -> set[str]:
    """Drop subagents of other agents in the set, since they run inside them."""
    among = set(agents)
    heads = {a for a in among if not among & set(list_ancestors(a, parents)[:-1])}
    return heads or among  # a cycle of parents is ignored


def _explain_missing_agent_hop(path: IssuancePath) -> str:
    """Explain a missing agent by the long-lived key, or identity, at the origin."""
    origin, acting = path.steps[-1], path.steps[0]
    named = origin.credential if is_long_lived(origin.credential) else ""
    if not named and not is_platform_service(origin.identity):
        named = origin.identity
    if not (named := named or acting.identity or acting.credential):
        return (
            "the record contains no identity; a gateway record would supply the agent"
        )
    return f"an agent configuration that uses {named} (scan its home or repository)"


def _build_shared_use_hops(use: DeclaredUse, agents: Sequence[str]) -> AgentHops:
    """Build missing hops for an identity or credential that agents share."""
    listed = ", ".join(agents[:8]) + (", ..." if len(agents) > 8 else "")
    gap = f"{use.subject} is shared by {len(agents)} agents: {listed}"
    missing = Hop("", HopStatus.MISSING, gap)
    return AgentHops(missing, (), _build_missing_tool_hop("the agent is not known"))


def _build_missing_tool_hop(reason: str) -> Hop:
    return Hop(
        "", HopStatus.MISSING, f"{reason}; a gateway record would supply the tool"
    )


def _build_declared_tool_hop(agent: str, use: DeclaredUse, status: HopStatus) -> Hop:
    tools = sorted({tool for owner, tool in use.tools if owner == agent})
    if len(tools) == 1:
        source = _describe_use_source(use, use.get_declaration_source(agent, tools[0]))
        return Hop(tools[0], status, f"carries {use.subject}: {source}")
    if tools:
        gap = f"{len(tools)} tools of the agent use {use.subject}"
        return _build_missing_tool_hop(gap)
    return _build_missing_tool_hop(f"no tool of the agent uses {use.subject}")
