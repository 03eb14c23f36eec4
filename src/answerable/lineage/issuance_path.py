"""Trace a credential back to its origin over records of credential issuance."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from answerable.lineage.chain_stitching_types import (
    MAX_CHAIN_LENGTH,
    SourcedChainKey,
    is_long_lived,
)
from answerable.model.lineage import ChainKey, CredentialIssuance

# A request with an expired credential is refused; only clocks may differ.
LIFETIME_TOLERANCE = 300 * 10**9  # nanoseconds


@dataclass(frozen=True, slots=True)
class PathStep:
    """Principal on an issuance path.

    Attributes:
        identity: Identity, empty where the record names none.
        credential: Credential it used.
        person: Person that the platform authenticated, else empty.
        evidence_source: Record or source of the step.
    """

    identity: str
    credential: str
    person: str
    evidence_source: str


@dataclass(frozen=True, slots=True)
class IssuancePath:
    """Path of issuances from the acting identity (first) to the origin (last).

    Attributes:
        steps: At least one.
        issued: Issuance of the acting credential, or None.
        key_creation: Creation of the origin's long-lived credential, or None.
        cut: True if a cycle or the length limit ended it.
        agent_issuances: Issuances that name the delegation chain of agents, the nearest first.
        key_creator: Person proved by a record behind the session of `maker`, or empty.
    """

    steps: tuple[PathStep, ...]
    issued: CredentialIssuance | None
    key_creation: CredentialIssuance | None
    cut: bool
    agent_issuances: tuple[CredentialIssuance, ...] = ()
    key_creator: str = ""

    def identities(self) -> tuple[str, ...]:
        """Return the identities, origin first, without repetitions."""
        found: list[str] = []
        for step in reversed(self.steps):
            if step.identity and found[-1:] != [step.identity]:
                found.append(step.identity)
        return tuple(found)

    @property
    def owner_issuance(self) -> CredentialIssuance | None:
        """Return the nearest issuance that names an attested owner."""
        return next((each for each in self.agent_issuances if each.owner), None)

    @property
    def delegation_id(self) -> str:
        """Return the id of the nearest delegation, empty if unknown."""
        return next(
            (each.parent.run for each in self.agent_issuances if each.parent.run), ""
        )

    def credentials(self) -> tuple[str, ...]:
        """Return the credentials of the path, the first issued one first."""
        return tuple(s.credential for s in reversed(self.steps) if s.credential)


def select_best_issuance_per_credential(
    issuances: Iterable[CredentialIssuance],
) -> dict[str, CredentialIssuance]:
    """Select for each credential the issuance record that names the caller.

    Two accounts record a cross-account issuance; the record that names the caller is
    selected, or the first of equals.
    """
    best: dict[str, CredentialIssuance] = {}
    for issuance in issuances:
        known = best.get(issuance.credential)
        if known is None or _get_issuance_preference_key(
            issuance
        ) < _get_issuance_preference_key(known):
            best[issuance.credential] = issuance
    return best


def _get_issuance_preference_key(issuance: CredentialIssuance) -> tuple[object, ...]:
    """Return a sort key: records that name the issuer's parent come first."""
    parent = issuance.parent
    return (
        not parent.person,
        not parent.credential,
        not parent.identity,
        issuance.at,
        issuance.event,
        (parent.identity, parent.credential, parent.person),
        (issuance.identity, issuance.until, issuance.source),
        (issuance.chain, issuance.owner),
    )


@dataclass(frozen=True, slots=True)
class IssuanceIndex:
    """Index of issuances by credential, by run and by parent.

    Attributes:
        by_credential: Most informative issuance of each credential.
        by_run: First issuance with a delegation chain, by run and last agent; under an
            empty agent for any.
        by_parent: Likewise, by the chain key of the record itself.
        naming_agents: Likewise, by the issued credential: the record of our own issuer,
            where the platform records the same issuance.
    """

    by_credential: Mapping[str, CredentialIssuance]
    by_run: Mapping[tuple[str, str], CredentialIssuance]
    by_parent: Mapping[ChainKey, CredentialIssuance]
    naming_agents: Mapping[str, CredentialIssuance]


def index_credential_issuances(
    issuances: Sequence[CredentialIssuance],
) -> IssuanceIndex:
    """Index records of issued credentials by credential, run and parent."""
    runs: dict[tuple[str, str], CredentialIssuance] = {}
    parents: dict[ChainKey, CredentialIssuance] = {}
    naming: dict[str, CredentialIssuance] = {}
    for each in sorted(issuances, key=_get_issuance_sort_key):
        if each.chain:
            naming.setdefault(each.credential, each)
            runs.setdefault((each.parent.run, ""), each)
            runs.setdefault((each.parent.run, each.chain[-1]), each)
            if each.chain[-1] == each.parent.agent:
                parents.setdefault(_remove_role_session_name(each.parent), each)
    best = select_best_issuance_per_credential(issuances)
    return IssuanceIndex(best, runs, parents, naming)


def _remove_role_session_name(key: ChainKey) -> ChainKey:
    """Return a key without the session name, which the caller writes."""
    return replace(key, session="")


def _get_issuance_sort_key(issuance: CredentialIssuance) -> tuple[object, ...]:
    """Return a sort key: issuances with an owner come first."""
    unowned = not issuance.owner
    return (unowned, issuance.at, issuance.event, issuance.chain, issuance.owner)


def _was_alive_at(issuance: CredentialIssuance, at: int) -> bool:
    """Return whether a credential could be used at a time; clocks may differ.

    The end of a long-lived credential, or of one without a recorded expiry, is not
    known.
    """
    since = issuance.at - LIFETIME_TOLERANCE
    until = issuance.until + LIFETIME_TOLERANCE
    return since <= at and (not issuance.until or at < until)


def trace_credential_to_origin(
    chain_key: SourcedChainKey,
    issued: IssuanceIndex,
    presented: CredentialIssuance | None = None,
) -> IssuancePath:
    """Trace a chain key back to the origin of its credential.

    Args:
        chain_key: Start of the walk.
        issued: Index of all issuances.
        presented: Record of the call that presented the credential; it replaces the
            issuance of the credential.
    """
    key = chain_key.key
    if not chain_key.believed:
        return IssuancePath(
            (PathStep("", "", "", chain_key.source),), None, None, cut=False
        )
    steps = [_build_first_path_step(key, chain_key.source)]
    first = issued.by_credential.get(key.credential) if key.credential else None
    first = presented or first
    seen = {key.credential}
    walked: list[CredentialIssuance] = []
    current = first
    while current is not None and not is_long_lived(current.credential):
        walked.append(current)
        parent = current.parent
        if len(steps) >= MAX_CHAIN_LENGTH or (
            parent.credential and parent.credential in seen
        ):
            told = _list_issuances_naming_agents(key, walked, issued)
            return IssuancePath(
                tuple(steps), first, None, cut=True, agent_issuances=told
            )
        steps.append(
            _build_first_path_step(parent, f"{current.source} event {current.event}")
        )
        seen.add(parent.credential)
        child, current = (
            current,
            issued.by_credential.get(parent.credential) if parent.credential else None,
        )
        if current is not None and not _was_alive_at(current, child.at):
            current = None
    named = (
        tuple(steps) if key.agent else _fill_in_missing_acting_identity(steps, first)
    )
    made_by = _find_person_who_created_key(current, issued) if current else ""
    told = _list_issuances_naming_agents(key, walked, issued)
    return IssuancePath(
        named, first, current, cut=False, agent_issuances=told, key_creator=made_by
    )


def _find_person_who_created_key(
    creation: CredentialIssuance, issued: IssuanceIndex
) -> str:
    """Return the person whose session created a key, or empty."""
    key = creation.parent
    for _ in range(MAX_CHAIN_LENGTH):
        if key.person:
            return key.person
        session = issued.by_credential.get(key.credential) if key.credential else None
        if session is None or is_long_lived(session.credential):
            break
        key = session.parent
    return ""


def _list_issuances_naming_agents(
    key: ChainKey, walked_issuances: Sequence[CredentialIssuance], issued: IssuanceIndex
) -> tuple[CredentialIssuance, ...]:
    """List the issuances that name a chain's agents, nearest first.

    The record of an exchange or ticket itself comes first, since it names the agent
    that acts from then on. Issuances of the same run come last, and only for the same
    agent: a token of another issuer carries a run chosen by that issuer.
    """
    own = issued.by_parent.get(_remove_role_session_name(key)) if key.agent else None
    same = issued.by_run.get((key.run, key.agent)) if key.run else None
    walked = (
        each if each.chain else issued.naming_agents.get(each.credential, each)
        for each in walked_issuances
    )
    found = (own, *walked, same)
    return tuple(each for each in found if each is not None and each.chain)


def _build_first_path_step(key: ChainKey, evidence_source: str) -> PathStep:
    """Build the path step of a chain key's identity and credential."""
    return PathStep(key.identity, key.credential, key.person, evidence_source)


def _fill_in_missing_acting_identity(
    steps: Sequence[PathStep], first_issuance: CredentialIssuance | None
) -> tuple[PathStep, ...]:
    """Fill in a missing acting identity from its credential's issuance.

    This does not apply to gateway records: their token identifies the caller, not the
    identity that the tool acts as.
    """
    acting = steps[0]
    if acting.identity or first_issuance is None:
        return tuple(steps)
    told = f"{first_issuance.source} event {first_issuance.event}"
    named = PathStep(first_issuance.identity, acting.credential, acting.person, told)
    return (named, *steps[1:])
