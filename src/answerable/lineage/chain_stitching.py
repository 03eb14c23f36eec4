"""Derive the lineage chains of events from chain keys, issuances and inventory."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from answerable.lineage.chain_hops import (
    UsesBySubject,
    build_hops_from_declared_uses,
    build_hops_from_gateway_record,
    build_hops_from_token_issuance,
    build_hops_of_web_request,
    build_identity_hop,
    build_owner_hop,
    build_person_hop,
)
from answerable.lineage.chain_stitching_types import (
    ALL_TIME,
    ChainTimeline,
    SignIn,
    SourcedChainKey,
)
from answerable.lineage.combined_chains import combine_chains
from answerable.lineage.credential_presentations import (
    PresentationTimeline,
    get_presented_subject,
    index_presentations,
)
from answerable.lineage.issuance_path import (
    IssuanceIndex,
    IssuancePath,
    index_credential_issuances,
    trace_credential_to_origin,
)
from answerable.model.lineage import (
    CredentialIssuance,
    CredentialPresentation,
    DeclaredUse,
    LineageChain,
)


def derive_lineage_chains(
    chain_keys: Iterable[SourcedChainKey],
    issuances: Iterable[CredentialIssuance],
    declared: Iterable[DeclaredUse] = (),
    sign_ins: Iterable[SignIn] = (),
    parents: Mapping[str, str] | None = None,
    presentations: Iterable[CredentialPresentation] = (),
) -> tuple[ChainTimeline, ...]:
    """Derive the chains of all chain keys, each with its time of validity.

    See `iterate_lineage_chains` for the arguments.
    """
    return tuple(
        iterate_lineage_chains(
            chain_keys, issuances, declared, sign_ins, parents, presentations
        )
    )


def iterate_lineage_chains(
    chain_keys: Iterable[SourcedChainKey],
    issuances: Iterable[CredentialIssuance],
    declared: Iterable[DeclaredUse] = (),
    sign_ins: Iterable[SignIn] = (),
    parents: Mapping[str, str] | None = None,
    presentations: Iterable[CredentialPresentation] = (),
) -> Iterator[ChainTimeline]:
    """Derive the chains of chain keys one by one, each with its time of validity.

    Args:
        chain_keys: Distinct chain keys of the events.
        issuances: Issuance records of believed sources.
        declared: Declared uses of the inventory, each with its validity.
        sign_ins: Sign-ins recorded by believed sources.
        parents: Parent agent by agent.
        presentations: Calls in which a gateway presented a credential.

    Yields:
        One entry per chain key, in order. The chains of a key cover all time without
        gaps: one interval if no declared use changed.
    """
    issued = index_credential_issuances(tuple(issuances))
    by_subject: dict[str, list[DeclaredUse]] = {}
    for use in declared:
        if use.valid_from < use.valid_to:
            by_subject.setdefault(use.subject, []).append(use)
    facts = _StitchingFacts(
        issued,
        by_subject,
        _index_sign_ins_by_subject(sign_ins),
        parents or {},
        index_presentations(presentations),
    )
    for joint in chain_keys:
        yield _derive_chains_of_chain_key(joint, facts)


_NEVER_PRESENTED = PresentationTimeline()


@dataclass(frozen=True, slots=True)
class _StitchingFacts:
    """Indexed facts that chains are derived from."""

    issued: IssuanceIndex
    declared: Mapping[str, Sequence[DeclaredUse]]
    sign_ins: Mapping[str, Sequence[SignIn]]
    parents: Mapping[str, str]
    presented: Mapping[str, PresentationTimeline]

    def get_presentations(self, chain_key: SourcedChainKey) -> PresentationTimeline:
        """Return the calls that tell the caller of a platform's events."""
        key = chain_key.key
        if not chain_key.believed or key.agent:
            return _NEVER_PRESENTED
        subject = get_presented_subject(key, chain_key.source)
        return self.presented.get(subject, _NEVER_PRESENTED)


def _index_sign_ins_by_subject(sign_ins: Iterable[SignIn]) -> dict[str, list[SignIn]]:
    """Index sign-ins by credential and by identity."""
    found: dict[str, list[SignIn]] = {}
    for sign_in in sign_ins:
        for subject in (sign_in.credential, sign_in.identity):
            if subject:
                found.setdefault(subject, []).append(sign_in)
    return found


def _derive_chains_of_chain_key(
    chain_key: SourcedChainKey, facts: _StitchingFacts
) -> ChainTimeline:
    """Derive one key's chains: a new one wherever a use or a presentation changes."""
    path = trace_credential_to_origin(chain_key, facts.issued)
    presented = facts.get_presentations(chain_key)
    paths = {
        caller: _trace_presented_credential(chain_key, caller, facts.issued)
        for caller in presented.callers
        if caller is not None
    }
    uses = _collect_declared_uses(chain_key, (path, *paths.values()), facts.declared)
    edges = {ALL_TIME[0], ALL_TIME[1], *presented.starts}
    for use in uses:
        edges |= {min(max(at, 0), ALL_TIME[1]) for at in (use.valid_from, use.valid_to)}
    times = sorted(edges)
    chains: list[LineageChain] = []
    for start, end in pairwise(times):
        valid = _select_declared_uses_at_time(uses, start)
        chain = _build_lineage_chain(chain_key, path, valid, facts)
        caller = presented.find_caller(start)
        if caller is not None:
            called = _build_lineage_chain(
                chain_key, paths[caller], valid, facts, caller
            )
            chain = (
                combine_chains(chain, called) if chain_key.key.credential else called
            )
        if (start, end) != ALL_TIME:  # what most chains have
            chain = replace(chain, valid_from=start, valid_to=end)
        if chains and replace(chains[-1], valid_to=end) == replace(
            chain, valid_from=chains[-1].valid_from
        ):
            chains[-1] = replace(chains[-1], valid_to=end)
        else:
            chains.append(chain)
    return ChainTimeline(chain_key, tuple(chains))


def _trace_presented_credential(
    chain_key: SourcedChainKey, caller: CredentialIssuance, issued: IssuanceIndex
) -> IssuancePath:
    """Trace the credential of a call that presented that of a chain key.

    A chain key without a credential has that of the call.
    """
    if chain_key.key.credential:
        return trace_credential_to_origin(chain_key, issued, caller)
    call = SourcedChainKey(caller.parent, _describe_event(caller), believed=True)
    return trace_credential_to_origin(call, issued)


def _describe_event(record: CredentialIssuance) -> str:
    return f"{record.source} event {record.event}"


def _collect_declared_uses(
    chain_key: SourcedChainKey,
    paths: Iterable[IssuancePath],
    declared: Mapping[str, Sequence[DeclaredUse]],
) -> list[DeclaredUse]:
    """Collect the declared uses of all subjects and agents on some paths."""
    subjects: set[str] = set()
    agents = {_get_agent_named_by_gateway(chain_key)}
    for path in paths:
        subjects |= {s.credential for s in path.steps} | {
            s.identity for s in path.steps
        }
        agents |= {told.chain[-1] for told in path.agent_issuances}
        agents |= {path.issued.parent.agent} if path.issued else set()
    uses = [use for subject in subjects for use in declared.get(subject, ())]
    agents |= {agent for use in uses for agent in use.agents}
    return uses + [use for a in agents - subjects for use in declared.get(a, ())]


def _get_agent_named_by_gateway(chain_key: SourcedChainKey) -> str:
    """Return the agent that a gateway's record names, else empty."""
    return chain_key.key.agent if chain_key.believed else ""


def _select_declared_uses_at_time(
    uses: Sequence[DeclaredUse], at: int
) -> UsesBySubject:
    """Select the newest declared use of each subject at a time."""
    standing: dict[str, DeclaredUse] = {}
    for use in uses:
        if use.valid_from <= at < use.valid_to:
            known = standing.get(use.subject)
            if known is None or _get_declared_use_sort_key(
                use
            ) > _get_declared_use_sort_key(known):
                standing[use.subject] = use
    return standing


def _get_declared_use_sort_key(use: DeclaredUse) -> tuple[object, ...]:
    """Return the key that sorts declared credential uses by start, newest last."""
    return (
        use.valid_from,
        use.source,
        use.person,
        use.agents,
        use.tools,
        use.hindsight,
    )


def _build_lineage_chain(
    chain_key: SourcedChainKey,
    path: IssuancePath,
    uses: UsesBySubject,
    facts: _StitchingFacts,
    caller: CredentialIssuance | None = None,
) -> LineageChain:
    """Build the chain of one key from the uses valid at a time.

    Args:
        caller: Call that presented the credential of the key; its agent and tool are
            those of the chain.
    """
    recorded, parents = chain_key, facts.parents
    if caller is not None:
        recorded = SourcedChainKey(
            caller.parent, _describe_event(caller), believed=True
        )
    agents = (
        build_hops_from_gateway_record(recorded, path, parents)
        or build_hops_from_token_issuance(path)
        or build_hops_of_web_request(chain_key)
    )
    agents = agents or build_hops_from_declared_uses(path, uses, parents)
    tool = chain_key.key.tool if _get_agent_named_by_gateway(chain_key) else ""
    return LineageChain(
        key=chain_key.key,
        valid_from=ALL_TIME[0],
        valid_to=ALL_TIME[1],
        person=build_person_hop(path, agents.agent, uses, facts.sign_ins),
        agent=agents.agent,
        agent_path=agents.path,
        tool=agents.tool,
        identity=build_identity_hop(path, tool, chain_key),
        identity_owner=build_owner_hop(path, uses),
        identity_path=path.identities(),
        credential_path=path.credentials(),
        credential_from=path.issued.at if path.issued else 0,
        credential_to=path.issued.until if path.issued else 0,
        delegation_id=path.delegation_id,
    )
