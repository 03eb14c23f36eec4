"""Stitching: derivation of chains from chain keys and facts."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from answerable.lineage.hops import (
    Uses,
    agent_hops,
    identity_hop,
    issued_hops,
    owner_hop,
    page_hops,
    person_hop,
    seen_hops,
)
from answerable.lineage.issuance_path import Path, index, trace_back
from answerable.lineage.stitch_inputs import ALWAYS, Joint, JointChains, SignIn
from answerable.model.lineage import Chain, DeclaredUse, Issuance


def stitch(
    joints: Iterable[Joint],
    issuances: Iterable[Issuance],
    declared: Iterable[DeclaredUse] = (),
    sign_ins: Iterable[SignIn] = (),
    parents: Mapping[str, str] | None = None,
) -> tuple[JointChains, ...]:
    """Derive the chains of all chain keys.

    Args:
        joints: Distinct chain keys of the events.
        issuances: Issuance records of believed sources.
        declared: Declared uses of the inventory, each with its validity.
        sign_ins: Sign-ins recorded by believed sources.
        parents: Parent agent by agent.

    Returns:
        One entry per chain key, in order. The chains of a key cover all time without
        gaps: one interval if no declared use changed.
    """
    issued = index(tuple(issuances))
    by_subject: dict[str, list[DeclaredUse]] = {}
    for use in declared:
        if use.valid_from < use.valid_to:
            by_subject.setdefault(use.subject, []).append(use)
    persons = _persons(sign_ins)
    return tuple(
        _stitch_one(joint, trace_back(joint, issued), by_subject, persons, parents)
        for joint in joints
    )


def chain_at(chains: Sequence[Chain], at: int) -> Chain:
    """Return the chain that is valid at a time."""
    starts = [chain.valid_from for chain in chains]
    return chains[max(0, bisect_right(starts, at) - 1)]


def _persons(sign_ins: Iterable[SignIn]) -> dict[str, list[SignIn]]:
    found: dict[str, list[SignIn]] = {}
    for sign_in in sign_ins:
        for subject in (sign_in.credential, sign_in.identity):
            if subject:
                found.setdefault(subject, []).append(sign_in)
    return found


def _stitch_one(
    joint: Joint,
    path: Path,
    declared: Mapping[str, Sequence[DeclaredUse]],
    persons: Mapping[str, Sequence[SignIn]],
    parents: Mapping[str, str] | None,
) -> JointChains:
    subjects = {s.credential for s in path.steps} | {s.identity for s in path.steps}
    uses = [use for subject in subjects for use in declared.get(subject, ())]
    agents = {_seen_agent(joint)} | {told.chain[-1] for told in path.told}
    agents |= {agent for use in uses for agent in use.agents}
    uses += [use for a in agents - subjects for use in declared.get(a, ())]
    edges = {ALWAYS[0], ALWAYS[1]}
    for use in uses:
        edges |= {min(max(at, 0), ALWAYS[1]) for at in (use.valid_from, use.valid_to)}
    times = sorted(edges)
    chains: list[Chain] = []
    for start, end in pairwise(times):
        chain = _chain(joint, path, _standing(uses, start), persons, parents or {})
        chain = replace(chain, valid_from=start, valid_to=end)
        if chains and replace(chains[-1], valid_to=end) == replace(
            chain, valid_from=chains[-1].valid_from
        ):
            chains[-1] = replace(chains[-1], valid_to=end)
        else:
            chains.append(chain)
    return JointChains(joint, tuple(chains))


def _seen_agent(joint: Joint) -> str:
    """Return the agent named by a gateway's record, else empty."""
    return joint.key.agent if joint.believed else ""


def _standing(uses: Sequence[DeclaredUse], at: int) -> Uses:
    standing: dict[str, DeclaredUse] = {}
    for use in uses:
        if use.valid_from <= at < use.valid_to:
            known = standing.get(use.subject)
            if known is None or _newer(use) > _newer(known):
                standing[use.subject] = use
    return standing


def _newer(use: DeclaredUse) -> tuple[object, ...]:
    return (
        use.valid_from,
        use.source,
        use.person,
        use.agents,
        use.tools,
        use.hindsight,
    )


def _chain(
    joint: Joint,
    path: Path,
    uses: Uses,
    persons: Mapping[str, Sequence[SignIn]],
    parents: Mapping[str, str],
) -> Chain:
    agents = seen_hops(joint, path, parents) or issued_hops(path) or page_hops(joint)
    agents = agents or agent_hops(path, uses, parents)
    tool = joint.key.tool if _seen_agent(joint) else ""
    return Chain(
        key=joint.key,
        valid_from=ALWAYS[0],
        valid_to=ALWAYS[1],
        person=person_hop(path, agents.agent, uses, persons),
        agent=agents.agent,
        agent_path=agents.path,
        tool=agents.tool,
        identity=identity_hop(path, tool, joint.source),
        identity_owner=owner_hop(path, uses),
        identity_path=path.identities(),
        credential_path=path.credentials(),
        credential_from=path.issued.at if path.issued else 0,
        credential_to=path.issued.until if path.issued else 0,
        delegation_id=path.delegation,
    )
