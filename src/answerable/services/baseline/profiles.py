"""Build the output items of behaviour profiles: state, layers, learned entries."""

from collections.abc import Iterator, Mapping, Set

from answerable.baseline.baseline_confidence import is_ready_to_enforce
from answerable.baseline.deviation_explanations import (
    describe_entity_pattern,
    describe_flow_source,
)
from answerable.model.baseline import (
    BaselineProfile,
    BaselineStage,
    BaselineSubject,
    LearningParameters,
    ObservationCounts,
)
from answerable.model.documents.baseline import (
    BaselineEntryItem,
    BaselineItem,
)
from answerable.model.time_units import SECOND_NS
from answerable.presentation.answer_coverage import format_time
from answerable.services.statements.signed_baselines import ActiveBaseline


def turns_off_enforcement(active: ActiveBaseline | None, stage: BaselineStage) -> bool:
    """Return whether a new stage would end the enforcement that is active now."""
    enforced = active is not None and active.stage is BaselineStage.ENFORCE
    return enforced and stage is not BaselineStage.ENFORCE


def build_baseline_item(
    name: str,
    profile: BaselineProfile,
    active_baselines: Mapping[BaselineSubject, ActiveBaseline],
    *,
    with_entries: bool = False,
) -> BaselineItem:
    """Build the output item of a profile, with its state, stage and layers."""
    held = active_baselines.get(profile.subject)
    stands = held if held is not None and held.digest == name else None
    not_ready = list(_list_unready_reasons(profile, LearningParameters()))
    return {
        "digest": name,
        "agent": profile.subject.agent,
        "identity": profile.subject.identity or None,
        "server": profile.subject.server,
        "state": "draft" if stands is None else "standing",
        "stage": None if stands is None else stands.stage.value,
        "person": None if stands is None else stands.person,
        "signed_at": None if stands is None else format_time(stands.signed_at),
        "expires": None if stands is None else format_time(stands.expires),
        "runs": profile.runs,
        "learned_at": format_time(profile.learned_at * SECOND_NS),
        "until": format_time(profile.until * SECOND_NS),
        "parent": profile.parent or None,
        "root": profile.root or None,
        "ready": is_ready_to_enforce(profile, LearningParameters()),
        "not_ready": not_ready,
        "layers": [
            {
                "layer": each.layer.value,
                "samples": each.samples,
                "singletons": each.singletons,
                "unseen": each.unseen / 1e6,
                "at_most": each.most / 1e6,
            }
            for each in profile.confidence
        ],
        "entries": list(_build_profile_entries(profile)) if with_entries else [],
    }


def _list_unready_reasons(
    profile: BaselineProfile, parameters: LearningParameters
) -> Iterator[str]:
    """Yield why a profile is not ready: too few runs, or too many unseen values."""
    if profile.runs < parameters.ready_runs:
        yield f"{profile.runs} runs (expected {parameters.ready_runs})"
    for each in profile.confidence:
        if each.samples and each.unseen >= parameters.ready_unseen:
            yield (
                f"{each.layer.value}: {each.unseen / 1e4:.1f} % unseen (expected less "
                f"than {parameters.ready_unseen / 1e4:g} %)"
            )


def _build_profile_entries(profile: BaselineProfile) -> Iterator[BaselineEntryItem]:
    """Yield the output entries of a profile, layer by layer (L1 to L5)."""
    for tool in profile.capabilities:
        what = "write" if tool.is_write else "read"
        yield _build_profile_entry("L1", tool.tool, "", what, tool.tally)
    for entity in profile.entities:
        yield _build_profile_entry(
            "L2",
            entity.tool,
            entity.path,
            describe_entity_pattern(entity.pattern),
            entity.tally,
            sensitive=entity.sensitive,
            firm=entity.firm,
        )
    for edge in profile.edges:
        trust = "" if edge.trusted else " (untrusted)"
        yield _build_profile_entry(
            "L3",
            edge.tool,
            edge.path,
            f"from {describe_flow_source(edge)}{trust}",
            edge.tally,
            sensitive=edge.sensitive,
            firm=edge.firm,
        )
    for order in profile.orders:
        for reads in order.reads:
            what = f"after {' and '.join(reads) or 'nothing'}"
            yield _build_profile_entry("L4", order.tool, "", what, ObservationCounts())
    for bound in profile.bounds:
        what = f"{bound.measure.value} at most {bound.most}"
        yield _build_profile_entry(
            "L4", bound.tool, bound.path, what, ObservationCounts(runs=bound.samples)
        )

    yield from _build_environment_entries(profile)


def _build_environment_entries(profile: BaselineProfile) -> Iterator[BaselineEntryItem]:
    """Yield the entries of layer L5: networks, hours of the week and call rates."""
    around = profile.surroundings
    for each in around.seen:
        named = {
            "network": each.network,
            "workload": each.workload,
            "region": each.region,
        }
        told = ", ".join(f"{name} {value}" for name, value in named.items() if value)
        yield _build_profile_entry(
            "L5", "", "", told or "from an unknown place", ObservationCounts()
        )
    if around.hours:
        runs = sum(count for _, count in around.hours)
        hours = _format_week_hours({hour for hour, _ in around.hours})
        yield _build_profile_entry(
            "L5", "", "", f"begun {hours} (UTC)", ObservationCounts(runs=runs)
        )
    if around.rates:
        runs = sum(count for _, count in around.rates)
        most = 2 ** max(rate for rate, _ in around.rates)
        what = f"about {most} calls in the busiest minute"
        yield _build_profile_entry("L5", "", "", what, ObservationCounts(runs=runs))


def _format_week_hours(hours: Set[int]) -> str:
    """Format hours of the week, day by day."""
    days = []
    for number, day in enumerate(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")):
        own = [f"{h % 24:02}" for h in sorted(hours) if h // 24 == number]
        days += [f"{day} {' '.join(own)} h"] if own else []
    return ", ".join(days)


def _build_profile_entry(
    layer: str,
    tool: str,
    path: str,
    description: str,
    counts: ObservationCounts,
    *,
    sensitive: bool = False,
    firm: bool = True,
) -> BaselineEntryItem:
    """Build one output entry of a profile with its observation counts."""
    return {
        "layer": layer,
        "tool": tool,
        "path": path,
        "what": description,
        "sensitive": sensitive,
        "firm": firm,
        "count": counts.count,
        "runs": counts.runs,
        "days": counts.days,
        "persons": counts.persons,
        "last": format_time(counts.last * SECOND_NS) if counts.last else None,
        "example": counts.example or None,
    }
