"""Combine the chain of a credential's issuance with that of the call that presented it."""

from dataclasses import replace

from answerable.model.lineage import Hop, HopStatus, LineageChain

_STRENGTH = (
    HopStatus.MISSING,
    HopStatus.INFERRED,
    HopStatus.DECLARED,
    HopStatus.OBSERVED,
)


def combine_chains(issued: LineageChain, called: LineageChain) -> LineageChain:
    """Combine two chains of one key, so that no hop is weaker than in either.

    Args:
        issued: Chain by the issuance of the credential; it has the lifetime.
        called: Chain by the call that presented it; it names agent and tool.
    """
    is_person_of_call = _is_at_least_as_strong(called.person, issued.person)
    paths = called if is_person_of_call else issued
    same_agent = issued.agent.value == called.agent.value
    has_tool = called.tool.status is not HopStatus.MISSING or not same_agent
    agents = max(issued.agent_path, called.agent_path, key=len)
    return replace(
        called,
        person=paths.person,
        agent_path=agents if same_agent else called.agent_path,
        tool=called.tool if has_tool else issued.tool,
        identity_path=paths.identity_path,
        credential_path=paths.credential_path,
        credential_from=issued.credential_from,
        credential_to=issued.credential_to,
        delegation_id=called.delegation_id or issued.delegation_id,
    )


def _is_at_least_as_strong(one: Hop, other: Hop) -> bool:
    return _STRENGTH.index(one.status) >= _STRENGTH.index(other.status)
