"""Learn a behaviour profile of an agent from its recorded calls, as unsigned draft."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import msgspec

from answerable.baseline.profile_document import (
    decode_profile,
    encode_profile,
    profile_document_digest,
)
from answerable.baseline.profile_learning import (
    build_profile,
    list_training_set_merkle_leaves,
)
from answerable.baseline.tool_renames import rename_call, resolve_renames
from answerable.baseline.training_counts import select_training_runs
from answerable.baseline.training_run_merge import TrainingState, merge_runs_into_state
from answerable.evidence.merkle import leaf_hash, merkle_root
from answerable.model.baseline import (
    BaselineProfile,
    BaselineSubject,
    LearningParameters,
)
from answerable.model.behaviour import AgentRun, CallObservation
from answerable.model.decision import DecisionEffect
from answerable.model.errors import UsageError
from answerable.model.ids import AgentId
from answerable.model.provenance import WrittenBy
from answerable.model.spool_record import CallBehaviour
from answerable.store.monitored_call_queries import MonitoredCall, find_monitored_calls
from answerable.store.store import EvidenceStore

BASELINE = "baseline"  # kind of the objects: profiles, signed or not
WINDOW = 90 * 86_400 * 10**9  # nanoseconds


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """Recorded call of a watched agent, decoded.

    Attributes:
        row: Stored record.
        acted: Call as the baseline observed it.
        seen: Observed call with its id and result.
    """

    row: MonitoredCall
    acted: CallBehaviour
    seen: CallObservation

    @property
    def server(self) -> str:
        """Upstream server of the tool."""
        return self.seen.tool.partition("/")[0]


def read_recorded_calls(
    store: EvidenceStore, agent: AgentId, *, since: int, until: int
) -> list[RecordedCall]:
    """Read the recorded calls of an agent, in the order of their records.

    Args:
        since: UTC nanoseconds, inclusive.
        until: UTC nanoseconds, exclusive.
    """
    decoder = msgspec.json.Decoder(CallBehaviour)
    found = []
    for row in find_monitored_calls(store, agent, since=since, until=until):
        acted = decoder.decode(row.behaviour)
        found.append(
            RecordedCall(row, acted, _add_result_size_and_trust(acted.seen, row))
        )
    return found


def _add_result_size_and_trust(
    observation: CallObservation, row: MonitoredCall
) -> CallObservation:
    """Add the size, record count and trust of the call's result to an observation."""
    size, records, untrusted = 0, 0, False
    if row.result:
        said = row.result.split()
        size, records, untrusted = int(said[0]), int(said[1]), said[2] == "untrusted"
    return replace(
        observation, id=row.decision_id, size=size, records=records, untrusted=untrusted
    )


def group_calls_into_runs(
    calls: Iterable[RecordedCall], identity: str, server: str = ""
) -> Iterator[AgentRun]:
    """Group an identity's recorded calls by the agent run that made them.

    Args:
        calls: Recorded calls.
        identity: The identity.
        server: Server whose first call gives a run its network and workload, since a
            client process starts a wrapper for each server; empty for the first call.
    """
    by_run: dict[str, list[RecordedCall]] = defaultdict(list)
    for each in calls:
        if each.acted.identity == identity:
            by_run[each.row.run].append(each)
    for name, members in by_run.items():
        first, begun = members[0].row, min(members, key=lambda each: each.row.at)
        effects = {each.row.effect for each in members}
        at_server = [each for each in members if each.server == server] or members
        yield AgentRun(
            id=name,
            agent=first.agent,
            identity=identity,
            person=first.person,
            started=begun.row.at,
            written_by=WrittenBy(first.written_by),
            envelope=min(at_server, key=lambda each: each.row.at).acted.envelope,
            calls=tuple(each.seen for each in members),
            denied=bool(
                effects & {DecisionEffect.DENY.value, DecisionEffect.ERROR.value}
            ),
            asked=DecisionEffect.ASK.value in effects,
        )


def build_training_state(
    calls: list[RecordedCall], identity: str, server: str = ""
) -> TrainingState:
    """Fold the runs of one identity into the state from which a profile is learned."""
    return merge_runs_into_state({}, group_calls_into_runs(calls, identity, server))


def learn_profile(
    calls: list[RecordedCall],
    subject: BaselineSubject,
    parameters: LearningParameters,
    now: int,
    previous: BaselineProfile | None,
) -> BaselineProfile:
    """Learn the behaviour profile of an agent from its calls, as successor of another.

    Calls of tools that the previous profile renamed count under their new names.

    Args:
        calls: Recorded calls of the agent.
        now: UTC nanoseconds.
        previous: The signed profile, None if there is none. Entries that its owner
            accepted by name are kept.
    """
    renames = previous.renames if previous is not None else ()
    names = resolve_renames(renames)
    if names:
        calls = [replace(each, seen=rename_call(each.seen, names)) for each in calls]
    state = build_training_state(calls, subject.identity, subject.server)
    accepted = previous.accepted if previous is not None else ()
    profile = build_profile(state, subject, parameters, now, accepted)
    rows = map(
        leaf_hash,
        list_training_set_merkle_leaves(
            select_training_runs(state, subject, parameters, now, accepted)
        ),
    )
    parent = (
        "" if previous is None else profile_document_digest(encode_profile(previous))
    )
    stance = profile.stance if previous is None else previous.stance
    return msgspec.structs.replace(
        profile,
        parent=parent,
        root=merkle_root(list(rows)).hex(),
        stance=stance,
        renames=renames,
    )


def list_profile_subjects(calls: Iterable[RecordedCall]) -> list[BaselineSubject]:
    """List the subjects (agent, identity, server) of some calls."""
    named = {(c.acted.identity, c.row.agent, c.server) for c in calls}
    return [BaselineSubject(*each) for each in sorted(named)]


def load_profile(store: EvidenceStore, name: str) -> tuple[str, BaselineProfile]:
    """Load a baseline profile from the store, by its digest or a prefix.

    Raises:
        UsageError: There is none, or the prefix is ambiguous.
        VerificationError: It was changed.
    """
    fit = sorted(
        {o.digest for o in store.list_objects(BASELINE) if o.digest.startswith(name)}
    )
    if len(fit) != 1 or len(name) < 4:
        raise UsageError(
            f"{len(fit) if len(name) >= 4 else 'too many'} baselines match "
            f"{name[:80]!r} (expected one)",
            "list the baselines with `answerable baseline show AGENT`",
        )
    return fit[0], decode_profile(store.get_object(fit[0]))
