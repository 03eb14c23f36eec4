"""List the clauses of a profile that only a gateway can enforce."""

from collections.abc import Iterator

from answerable.model.baseline import BaselineProfile, EnvelopeEntry
from answerable.model.behaviour import OriginKind
from answerable.model.policy_export import ClauseReason, OmittedClause


def list_inexpressible_clauses(profile: BaselineProfile) -> Iterator[OmittedClause]:
    """Yield flows, order, bounds and environment: no policy language has them."""
    for edge in profile.edges:
        if edge.kind is not OriginKind.NONE:
            text = f"{edge.path} from {edge.kind.value} {edge.source}".rstrip()
            yield _build_clause("L3", edge.tool, text)
    for order in profile.orders:
        for reads in order.reads:
            if reads:
                yield _build_clause("L4", order.tool, f"after {' and '.join(reads)}")
    for bound in profile.bounds:
        text = f"{bound.measure.value} at most {bound.most} in a run"
        yield _build_clause("L4", bound.tool, text)
    yield from _list_environment_clauses(profile.surroundings)


def _list_environment_clauses(environment: EnvelopeEntry) -> Iterator[OmittedClause]:
    """Yield the kinds of entries of layer L5."""
    kinds = {
        "hours of the week": environment.hours,
        "calls in the busiest minute": environment.rates,
        "network": [each for each in environment.seen if each.network],
        "workload": [each for each in environment.seen if each.workload],
        "region": [each for each in environment.seen if each.region],
    }
    for name, entries in kinds.items():
        if entries:
            yield _build_clause("L5", "", name)


def _build_clause(layer: str, tool: str, text: str) -> OmittedClause:
    """Build a clause that no policy language expresses."""
    return OmittedClause(ClauseReason.NOT_EXPRESSIBLE, layer, tool, text)
