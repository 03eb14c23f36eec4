"""Reach and tools of an agent, as its rules need them."""

from answerable.model.credential import MODEL_KEYS
from answerable.model.inventory import AgentEntity, ToolUse
from answerable.model.tool import REMOTE, SHELL
from answerable.posture.facts import IdentityReach, PostureFacts
from answerable.posture.severity import ExposureFactor, ReachLevel

WORKFLOW = "github-actions"
# Order of levels, most severe first; what is not known ranks below sensitive data.
_LEVELS = tuple(ReachLevel)
_WRITE_SCOPES = ("write", "admin")


def get_agent_reach(facts: PostureFacts, entity: AgentEntity) -> IdentityReach:
    """Return the most severe reach of an agent: its identities, else its job token."""
    found = [facts.reach.get_reach(each) for each in entity.identities]
    if has_write_token(entity):
        found.append(
            IdentityReach(ReachLevel.WRITE, "its job token can write to the repository")
        )
    elif entity.agent.kind == WORKFLOW and not found:
        found.append(IdentityReach(ReachLevel.READ, "its job token can read"))
    if not found or (not entity.identities and has_unknown_credential(facts, entity)):
        found.append(
            IdentityReach(
                ReachLevel.NOT_KNOWN,
                "no identity of its credentials is known",
                "the identities that its credentials prove",
            )
        )
    return min(found, key=lambda each: _LEVELS.index(each.level))


def has_unknown_credential(facts: PostureFacts, entity: AgentEntity) -> bool:
    """Return whether a tool has a credential whose identity is not known.

    Keys of model providers do not count: they prove no identity that a tool acts as.
    """
    for use in entity.tools:
        for key in use.credentials:
            known = facts.inventory.credentials.get(key)
            if known is None or known.identity is not None:
                continue
            names = {each.name.upper() for each in known.sightings}
            kinds = {each.kind for each in known.sightings}
            if not names & MODEL_KEYS and kinds != {"github-token"}:
                return True
    return False


def has_write_token(entity: AgentEntity) -> bool:
    """Return whether the job token of a workflow may write."""
    if entity.agent.kind != WORKFLOW:
        return False
    permissions = dict(entity.agent.facts).get("permissions", "")
    # `id-token: write` requests a token for other platforms, and writes nothing here.
    scopes = [
        each.rpartition(":")[2].strip()
        for each in permissions.split(",")
        if each.partition(":")[0].strip() != "id-token"
    ]
    # GitHub's default can be write; without a statement it is not known to be read.
    return permissions in ("", "not stated") or any(e in _WRITE_SCOPES for e in scopes)


def is_unattended(entity: AgentEntity) -> bool:
    """Return whether an agent acts without a person's approval."""
    return entity.agent.unattended or any(u.tool.unattended for u in entity.tools)


def list_exposure_factors(
    facts: PostureFacts, entity: AgentEntity
) -> frozenset[ExposureFactor]:
    """List how an agent holds its access."""
    held = set()
    if is_unattended(entity):
        held.add(ExposureFactor.UNATTENDED)
    if entity.agent.id not in facts.bounded:
        held.add(ExposureFactor.UNBOUNDED)
    return frozenset(held)


def find_unattended_shell(entity: AgentEntity) -> ToolUse | None:
    """Return the shell that an agent uses without approval; None if there is none."""
    return next(
        (
            use
            for use in entity.tools
            if use.tool.transport == SHELL
            and use.tool.enabled
            and (use.tool.unattended or entity.agent.unattended)
        ),
        None,
    )


def list_remote_tools(entity: AgentEntity) -> list[ToolUse]:
    """List the hosted servers of an agent."""
    return [use for use in entity.tools if use.tool.transport in REMOTE]
