"""Learn profiles from the platform events of an identity.

A run is the activity of one credential. Events have neither arguments nor results, so
only actions (L1) and their resources (L2) are learned.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from answerable.baseline.entity_extraction import (
    canonicalise_entity,
    classify_entity_kind,
)
from answerable.baseline.policy_export.aws_profile import CLOUD_SERVER
from answerable.baseline.profile_learning import build_profile
from answerable.baseline.training_run_merge import merge_runs_into_state
from answerable.model.baseline import (
    BaselineProfile,
    BaselineSubject,
    LearningParameters,
)
from answerable.model.behaviour import (
    AgentRun,
    ArgumentValue,
    CallObservation,
    EntityKind,
)
from answerable.model.event import AuditEvent

_NO_PATTERNS = 2**31  # more children than a resource has
_GCP = "gcp:"  # prefix of actions of Google Cloud


def learn_from_events(
    events: Iterable[AuditEvent],
    identity: str,
    now: int,
    agent: str = "",
    *,
    exact: bool = False,
) -> BaselineProfile:
    """Learn the baseline profile of an identity from its audit events.

    Args:
        exact: Keep every resource, instead of patterns of many.
    """
    by_run: dict[str, list[AuditEvent]] = defaultdict(list)
    for event in events:
        by_run[_get_run_id(event)].append(event)
    runs = [
        AgentRun(
            id=name,
            agent=agent,
            identity=identity,
            person="",
            started=members[0].event_time,
            written_by=members[0].written_by,
            calls=tuple(
                call for event in members for call in convert_event_to_calls(event)
            ),
        )
        for name, members in by_run.items()
    ]
    subject = BaselineSubject(identity, agent, CLOUD_SERVER)
    parameters = LearningParameters(min_persons=1)
    if exact:
        parameters = replace(parameters, children=_NO_PATTERNS)
    return build_profile(merge_runs_into_state({}, runs), subject, parameters, now)


def convert_event_to_observed_call(event: AuditEvent) -> CallObservation:
    """Convert an event to an observed call: its action and its resources."""
    named = [each for each in (event.resource, *event.resources) if each]
    values = tuple(
        ArgumentValue("resource", kind, canonicalise_entity(kind, each))
        for each in dict.fromkeys(named)
        for kind in [_classify_resource(each)]
    )
    return CallObservation(
        id=event.event_id.hex(),
        at=event.event_time,
        tool=f"{CLOUD_SERVER}/{event.action}",
        is_write=False,
        values=values,
    )


def _classify_resource(name: str) -> EntityKind:
    """Return the kind of a resource; ids of Google Cloud and Kubernetes are paths.

    A plain name that no earlier value explains is not learned.
    """
    kind = classify_entity_kind(name)
    return EntityKind.PATH if kind is EntityKind.NAME and "/" in name else kind


def convert_event_to_calls(event: AuditEvent) -> Iterator[CallObservation]:
    """Yield a call for each permission of Google Cloud that was checked; else one.

    Policies of Google Cloud name permissions, its audit log names methods.
    """
    call = convert_event_to_observed_call(event)
    permissions = dict(event.facts).get("authorised_by", "").split()
    if not event.action.startswith(_GCP) or not permissions:
        yield call
        return
    for name in permissions:
        yield replace(call, tool=f"{CLOUD_SERVER}/{_GCP}{name}")


def _get_run_id(event: AuditEvent) -> str:
    """Return the run id of an event: its credential, or its day if it names none."""
    day = event.event_time // (86_400 * 10**9)
    return event.credential or f"day {day}"
