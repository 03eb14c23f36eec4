"""Resolve identities of clusters, and find the paths between them."""

from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import replace

from answerable.model.ids import IdentityId
from answerable.model.kubernetes_ids import parse_subject_id
from answerable.reach.condition_formula import TRUE, build_atom, conjoin_hops
from answerable.reach.kubernetes.access_graph import iterate_bits
from answerable.reach.kubernetes.answer_building import SOURCE
from answerable.reach.kubernetes.cluster_access import ClusterAccess
from answerable.reach.kubernetes.step_rules import CLOUD_AUDIENCE
from answerable.reach.platform import SubjectIdentity, UnknownSubject

_RUNS_AS = "runs as"


def resolve_identity(
    clusters: Mapping[str, ClusterAccess], start: SubjectIdentity
) -> SubjectIdentity | UnknownSubject:
    """Return an identity, with the reason if its groups are not known."""
    parsed = parse_subject_id(start.identity)
    if parsed is None:
        return UnknownSubject(start.identity, "not the id of an identity", SOURCE)
    access = clusters.get(parsed.cluster)
    if access is None:
        what = f"no scan describes the cluster {parsed.cluster}"
        return UnknownSubject(start.identity, what, SOURCE)
    index = access.index
    if parsed.kind == "serviceaccount":
        collected = index.collected.includes("serviceaccounts", parsed.namespace)
        if collected and parsed not in index.service_accounts:
            what = f"the scan of {parsed.cluster} contains no such service account"
            return UnknownSubject(start.identity, what, SOURCE, absent=True)
    if not index.are_groups_known(parsed):
        what = "the groups that the authenticator gives the user were not collected"
        return replace(start, unknown=UnknownSubject(start.identity, what, SOURCE))
    return start


def find_paths_of_identities(
    access: ClusterAccess,
    starts: Sequence[SubjectIdentity],
    targets: Collection[IdentityId],
) -> Iterator[SubjectIdentity]:
    """Find the paths of identities to tokens of `targets`; API rights do not suffice."""
    wanted = access.graph.join_bits(targets)
    for start in starts:
        subject = access.parse_subject(start.identity)
        if subject is None:
            continue
        number = access.get_number(subject)
        if start.identity in targets:
            yield _continue_with_token(access, start, number)
        reached = access.steps.search_from(number).found & wanted
        for target in iterate_bits(reached):
            identity = IdentityId(access.graph.ids[target])
            hops = access.build_hops_to_token(number, target)
            if identity != start.identity and hops:
                yield replace(start, identity=identity, hops=(*start.hops, *hops))


def _continue_with_token(
    access: ClusterAccess, start: SubjectIdentity, number: int
) -> SubjectIdentity:
    """Return an entered identity with a token: by its own steps, or as a condition."""
    required = require_token(start)
    if required is start:
        return start
    hops = access.build_hops_to_token(number, number)
    if hops and all(hop.formula == TRUE for hop in hops):
        return replace(start, hops=(*start.hops, *hops))
    return required


def require_token(start: SubjectIdentity) -> SubjectIdentity:
    """Add the condition that a held token is for another platform, not for the API.

    A workload that runs as the service account gets such a token in its pod.
    """
    last = start.hops[-1] if start.hops else None
    if last is None or last.via == _RUNS_AS:
        return start
    used = build_atom(
        CLOUD_AUDIENCE, "Equals", ("a token for another audience than the API",)
    )
    hop = replace(last, formula=conjoin_hops(last.formula, used))
    return replace(start, hops=(*start.hops[:-1], hop))


def find_nearest_paths(
    access: ClusterAccess, targets: Collection[IdentityId], skipped: Container[str]
) -> Iterator[SubjectIdentity]:
    """Find a path of each identity of a cluster to a token of one of `targets`."""
    wanted = access.graph.join_bits(targets)
    if not wanted:
        return
    ids = access.graph.ids
    for number, target, hops in access.iterate_hops_to_tokens(wanted, skipped):
        yield SubjectIdentity(ids[number], IdentityId(ids[target]), hops)
