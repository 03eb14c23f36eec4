"""Profiles learned from recorded calls of an agent, stored as unsigned drafts."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import msgspec

from answerable.baseline.counts import teaching
from answerable.baseline.learning import learn, training_rows
from answerable.baseline.profile_document import decode, digest, encode
from answerable.baseline.run_fold import State, fold
from answerable.baseline.tool_renames import new_names, rename_call
from answerable.evidence.merkle import leaf_hash, root
from answerable.model.baseline import Profile, Subject, Terms
from answerable.model.behaviour import Observation, Run
from answerable.model.decision import Effect
from answerable.model.errors import UsageError
from answerable.model.ids import AgentId
from answerable.model.provenance import WrittenBy
from answerable.model.spool_record import Acted
from answerable.store.behaviour_queries import WatchedCall, watched_calls
from answerable.store.store import Store

BASELINE = "baseline"  # kind of the objects: profiles, signed or not
WINDOW = 90 * 86_400 * 10**9  # nanoseconds


@dataclass(frozen=True, slots=True)
class Call:
    """Recorded call of a watched agent, decoded.

    Attributes:
        row: Stored record.
        acted: Call as the baseline observed it.
        seen: Observed call with its id and result.
    """

    row: WatchedCall
    acted: Acted
    seen: Observation

    @property
    def server(self) -> str:
        """Upstream server of the tool."""
        return self.seen.tool.partition("/")[0]


def calls(store: Store, agent: AgentId, *, since: int, until: int) -> list[Call]:
    """Read the recorded calls of an agent, in the order of their records.

    Args:
        since: UTC nanoseconds, inclusive.
        until: UTC nanoseconds, exclusive.
    """
    decoder = msgspec.json.Decoder(Acted)
    found = []
    for row in watched_calls(store, agent, since=since, until=until):
        acted = decoder.decode(row.behaviour)
        found.append(Call(row, acted, _came(acted.seen, row)))
    return found


def _came(seen: Observation, row: WatchedCall) -> Observation:
    size, records, untrusted = 0, 0, False
    if row.came:
        said = row.came.split()
        size, records, untrusted = int(said[0]), int(said[1]), said[2] == "untrusted"
    return replace(
        seen, id=row.decision_id, size=size, records=records, untrusted=untrusted
    )


def runs(found: Iterable[Call], identity: str) -> Iterator[Run]:
    """Group the calls of one identity into runs."""
    by_run: dict[str, list[Call]] = defaultdict(list)
    for each in found:
        if each.acted.identity == identity:
            by_run[each.row.run].append(each)
    for name, members in by_run.items():
        first, begun = members[0].row, min(members, key=lambda each: each.row.at)
        effects = {each.row.effect for each in members}
        yield Run(
            id=name,
            agent=first.agent,
            identity=identity,
            person=first.person,
            started=begun.row.at,
            written_by=WrittenBy(first.written_by),
            envelope=begun.acted.envelope,
            calls=tuple(each.seen for each in members),
            denied=bool(effects & {Effect.DENY.value, Effect.ERROR.value}),
            asked=Effect.ASK.value in effects,
        )


def state_of(found: list[Call], identity: str) -> State:
    """Fold the runs of one identity into a learning state."""
    return fold({}, runs(found, identity))


def learned(
    found: list[Call], subject: Subject, terms: Terms, now: int, before: Profile | None
) -> Profile:
    """Learn the profile of a subject, as successor of another one.

    Calls of tools that the previous profile renamed count under their new names.

    Args:
        found: Recorded calls of the agent.
        now: UTC nanoseconds.
        before: The signed profile, None if there is none. Entries that its owner
            accepted by name are kept.
    """
    renames = before.renames if before is not None else ()
    names = new_names(renames)
    if names:
        found = [replace(each, seen=rename_call(each.seen, names)) for each in found]
    state = state_of(found, subject.identity)
    accepted = before.accepted if before is not None else ()
    profile = learn(state, subject, terms, now, accepted)
    rows = map(leaf_hash, training_rows(teaching(state, subject, terms, now, accepted)))
    parent = "" if before is None else digest(encode(before))
    stance = profile.stance if before is None else before.stance
    return msgspec.structs.replace(
        profile,
        parent=parent,
        root=root(list(rows)).hex(),
        stance=stance,
        renames=renames,
    )


def subjects(found: Iterable[Call]) -> list[Subject]:
    """List the subjects of some calls."""
    named = {(c.acted.identity, c.row.agent, c.server) for c in found}
    return [Subject(*each) for each in sorted(named)]


def kept(store: Store, name: str) -> tuple[str, Profile]:
    """Load a profile by its digest or a prefix of it.

    Raises:
        UsageError: There is none, or the prefix is ambiguous.
        VerificationError: It was changed.
    """
    fit = sorted(
        {o.digest for o in store.objects(BASELINE) if o.digest.startswith(name)}
    )
    if len(fit) != 1 or len(name) < 4:
        raise UsageError(
            f"{len(fit) if len(name) >= 4 else 'too many'} baselines are called "
            f"{name[:80]!r} (expected one)",
            "see `answerable baseline show AGENT`",
        )
    return fit[0], decode(store.get_object(fit[0]))
