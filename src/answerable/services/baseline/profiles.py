"""Baseline profiles: `baseline learn`, `show`, `diff` and `sign`."""

from collections.abc import Iterator, Mapping, Sequence, Set

from answerable.baseline.confidence import is_ready
from answerable.baseline.findings import edge_text, pattern
from answerable.baseline.learning import cold
from answerable.baseline.profile_diff import Change, compare
from answerable.baseline.profile_document import encode
from answerable.baseline.profile_verification import LIFE, claims, subject_id
from answerable.model.baseline import Profile, Stage, Subject, Tally, Terms
from answerable.model.documents.baseline import (
    BaselineChangeItem,
    BaselineItem,
    EntryItem,
)
from answerable.model.documents.core import Coverage, Document
from answerable.model.errors import UsageError, VerificationError
from answerable.model.ids import AgentId
from answerable.model.owner_key import Statement, StatementType
from answerable.presentation.command_hints import command
from answerable.presentation.inventory_lists import spelled_time
from answerable.services.baseline import profile_learning
from answerable.services.baseline.profile_learning import BASELINE, WINDOW, kept
from answerable.services.statements import owner_keys, signed_baselines
from answerable.services.statements.attested_owners import attested_owners
from answerable.services.statements.owner_keys import Signatory
from answerable.services.statements.signed_baselines import SIGNED, Standing
from answerable.store.store import Store

_SECOND = 10**9
_NAMED = 5  # subjects named in an error
COVERAGE: Coverage = {"partial": False, "sources": [], "seen": [], "not_collected": []}


def learn(
    store: Store,
    agent: AgentId,
    *,
    server: str = "",
    identity: str | None = None,
    since: int,
    now: int,
) -> Document:
    """Learn profiles from the records of an agent and store them as drafts.

    Args:
        server: Only calls to this server; empty for all.
        identity: Only calls through this identity; None for all.
        since: UTC nanoseconds, inclusive.
        now: UTC nanoseconds.

    Raises:
        UsageError: No recorded call of the agent exists.
    """
    begin = max(since, now - WINDOW)
    found = profile_learning.calls(store, agent, since=begin, until=now)
    known = profile_learning.subjects(found)
    standing = signed_baselines.held(store, now).standing
    items = []
    for subject in known:
        if server not in ("", subject.server) or identity not in (
            None,
            subject.identity,
        ):
            continue
        stands = standing.get(subject)
        before = None if stands is None else stands.profile
        profile = profile_learning.learned(found, subject, Terms(), now, before)
        name = store.put_object(BASELINE, encode(profile), now)
        items.append(item(name, profile, standing))
    if not items:
        raise _unwatched(agent, begin, known)
    following = command("baseline", "show", str(items[0]["digest"])[:16])
    return Document("baselines", items, COVERAGE, next=following)


def _unwatched(agent: AgentId, since: int, known: Sequence[Subject]) -> UsageError:
    """Build the error for an agent without recorded calls."""
    begin = spelled_time(since)
    if not known:
        return UsageError(
            f"no watched call of {agent} since {begin} is in the store",
            "give the agent a `baseline` in answerable.yaml, and let it work; "
            "`serve` stores what it recorded twice a minute",
        )
    calls = [
        f"{each.server} as {each.identity}" if each.identity else each.server
        for each in known
    ]
    return UsageError(
        f"no watched call of {agent} since {begin} is at that server as that identity",
        f"there are calls at {', '.join(calls[:_NAMED])}",
    )


def show(store: Store, name: str, *, now: int) -> Document:
    """Show a profile by digest, or the signed or newest profiles of an agent.

    Raises:
        UsageError: The profile does not exist.
        VerificationError: A stored profile was changed.
    """
    standing = signed_baselines.held(store, now).standing
    if not name.startswith("agent:"):
        digest_, profile = kept(store, name)
        return Document(
            "baseline", [item(digest_, profile, standing, whole=True)], COVERAGE
        )
    newest: dict[Subject, tuple[str, Profile]] = {}
    for each in store.objects(BASELINE):
        profile = kept(store, each.digest)[1]
        if profile.subject.agent == name:
            newest[profile.subject] = (each.digest, profile)
    for subject, stands in standing.items():
        if subject.agent == name:
            newest[subject] = (stands.digest, stands.profile)
    if not newest:
        raise UsageError(f"{name} has no baseline", command("baseline", "learn", name))
    items = [item(*found, standing, whole=True) for found in newest.values()]
    return Document("baseline", items, COVERAGE)


def diff(store: Store, old: str, new: str, *, now: int) -> Document:
    """Compare a profile with its predecessor, by consequence.

    Args:
        old: Digest of the old profile; empty for the one in force, if any.
        new: Digest of the new profile.
        now: UTC nanoseconds.

    Raises:
        UsageError: A profile does not exist, or the two have different subjects.
        VerificationError: A stored profile was changed.
    """
    after = kept(store, new)[1]
    before = cold(after.subject)
    if old:
        before = kept(store, old)[1]
    elif stands := signed_baselines.held(store, now).standing.get(after.subject):
        before = stands.profile
    if before.subject != after.subject:
        raise UsageError(
            "the two baselines are of different subjects",
            f"{subject_id(before.subject)} and {subject_id(after.subject)}",
        )
    changes = [_change(each) for each in compare(before, after)]
    following = command("baseline", "sign", new, "--key", "KEY", "--stage", "shadow")
    return Document("baseline-diff", changes, COVERAGE, next=following)


def sign(
    store: Store,
    name: str,
    signer: Signatory,
    stage: Stage,
    *,
    life: int,
    now: int,
    ends_enforcement: bool = False,
) -> Document:
    """Sign a profile so that its agent is held to it.

    Args:
        name: Digest of the profile.
        stage: Whether it blocks calls.
        life: Nanoseconds until it expires.
        now: UTC nanoseconds.
        ends_enforcement: The person confirms that nothing will be blocked.

    Raises:
        UsageError: The profile does not exist, was not in shadow yet, or would end
            enforcement without confirmation.
        VerificationError: The signer is not the attested owner, the key is not valid
            now, or the profile does not follow the one in force. Nothing is recorded.
    """
    full, profile = kept(store, name)
    stands = signed_baselines.held(store, now).standing.get(profile.subject)
    _by_owner(store, profile.subject, signer, now)
    if stage is not Stage.SHADOW and (stands is None or stands.digest != full):
        raise UsageError(
            "this baseline is not in force (expected one that is in shadow)",
            command("baseline", "sign", full[:16], "--stage", "shadow", "--key", "KEY"),
        )
    if ends(stands, stage) and not ends_enforcement:
        raise UsageError(
            f"this ends enforcement: {profile.subject.agent} would be held back in "
            f"nothing at {profile.subject.server} (got stage {stage}, enforce stands)",
            command(
                *("baseline", "sign", full[:16], "--stage", stage.value),
                *("--ends-enforcement", "--key", "KEY"),
            ),
        )
    at = signer.at(now)
    said = Statement(
        type=StatementType.BASELINE,
        subject=subject_id(profile.subject),
        claims=tuple(sorted(claims(profile, at + min(life, LIFE), stage).items())),
        signed_at=at,
        key=signer.id,
        store=owner_keys.identity(store),
    )
    envelope = signer.envelope(said)
    verified = owner_keys.verify_statement(store, envelope, now)
    signed_baselines.check(store, verified, now)
    store.put_object(SIGNED, envelope, now)
    standing = signed_baselines.held(store, now).standing
    return Document("baselines", [item(full, profile, standing)], COVERAGE)


def ends(stands: Standing | None, stage: Stage) -> bool:
    """Return whether a stage ends the enforcement in force."""
    enforced = stands is not None and stands.stage is Stage.ENFORCE
    return enforced and stage is not Stage.ENFORCE


def ends_enforcement(store: Store, name: str, stage: Stage, now: int) -> bool:
    """Return whether signing a profile into a stage ends the enforcement in force.

    Raises:
        UsageError: The profile does not exist.
    """
    _, profile = kept(store, name)
    return ends(signed_baselines.held(store, now).standing.get(profile.subject), stage)


def _by_owner(store: Store, subject: Subject, signer: Signatory, now: int) -> None:
    key = owner_keys.keys(store).get(signer.id)
    if key is None:
        raise VerificationError(
            f"the key {signer.id} is not enrolled here",
            "an administrator enrolls its public half: answerable owner-keys enroll PUB "
            "--person PERSON",
        )
    owner = attested_owners(store, now).get(AgentId(subject.agent))
    if owner is None:
        raise VerificationError(
            f"{subject.agent} has no attested owner (expected one who signs)",
            command("attest", subject.agent, "--owner", "PERSON", "--key", "KEY"),
        )


def item(
    name: str,
    profile: Profile,
    standing: Mapping[Subject, Standing],
    *,
    whole: bool = False,
) -> BaselineItem:
    """Build the document item of a profile."""
    held = standing.get(profile.subject)
    stands = held if held is not None and held.digest == name else None
    not_ready = list(_not_ready(profile, Terms()))
    return {
        "digest": name,
        "agent": profile.subject.agent,
        "identity": profile.subject.identity or None,
        "server": profile.subject.server,
        "state": "draft" if stands is None else "standing",
        "stage": None if stands is None else stands.stage.value,
        "person": None if stands is None else stands.person,
        "signed_at": None if stands is None else spelled_time(stands.signed_at),
        "expires": None if stands is None else spelled_time(stands.expires),
        "runs": profile.runs,
        "learned_at": spelled_time(profile.learned_at * _SECOND),
        "until": spelled_time(profile.until * _SECOND),
        "parent": profile.parent or None,
        "root": profile.root or None,
        "ready": is_ready(profile, Terms()),
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
        "entries": list(_entries(profile)) if whole else [],
    }


def _not_ready(profile: Profile, terms: Terms) -> Iterator[str]:
    if profile.runs < terms.ready_runs:
        yield f"{profile.runs} runs (expected {terms.ready_runs})"
    for each in profile.confidence:
        if each.samples and each.unseen >= terms.ready_unseen:
            yield (
                f"{each.layer.value}: {each.unseen / 1e4:.1f} % unseen (expected less "
                f"than {terms.ready_unseen / 1e4:g} %)"
            )


def _entries(profile: Profile) -> Iterator[EntryItem]:
    for tool in profile.capabilities:
        what = "write" if tool.is_write else "read"
        yield _entry("L1", tool.tool, "", what, tool.tally)
    for entity in profile.entities:
        yield _entry(
            "L2", entity.tool, entity.path, pattern(entity.pattern), entity.tally,
            sensitive=entity.sensitive, firm=entity.firm,
        )  # fmt: skip
    for edge in profile.edges:
        trust = "" if edge.trusted else " (strangers write it)"
        yield _entry(
            "L3", edge.tool, edge.path, f"from {edge_text(edge)}{trust}", edge.tally,
            sensitive=edge.sensitive, firm=edge.firm,
        )  # fmt: skip
    for order in profile.orders:
        for reads in order.reads:
            what = f"after {' and '.join(reads) or 'nothing'}"
            yield _entry("L4", order.tool, "", what, Tally())
    for bound in profile.bounds:
        what = f"{bound.measure.value} at most {bound.most}"
        yield _entry("L4", bound.tool, bound.path, what, Tally(runs=bound.samples))

    yield from _surroundings(profile)


def _surroundings(profile: Profile) -> Iterator[EntryItem]:
    around = profile.surroundings
    for each in around.seen:
        named = {
            "network": each.network,
            "workload": each.workload,
            "region": each.region,
        }
        told = ", ".join(f"{name} {value}" for name, value in named.items() if value)
        yield _entry("L5", "", "", told or "from an unknown place", Tally())
    if around.hours:
        runs = sum(count for _, count in around.hours)
        hours = _week({hour for hour, _ in around.hours})
        yield _entry("L5", "", "", f"begun {hours} (UTC)", Tally(runs=runs))
    if around.rates:
        runs = sum(count for _, count in around.rates)
        most = 2 ** max(rate for rate, _ in around.rates)
        what = f"some {most} calls in the busiest minute"
        yield _entry("L5", "", "", what, Tally(runs=runs))


def _week(hours: Set[int]) -> str:
    """Format hours of the week, day by day."""
    days = []
    for number, day in enumerate(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")):
        own = [f"{h % 24:02}" for h in sorted(hours) if h // 24 == number]
        days += [f"{day} {' '.join(own)} h"] if own else []
    return ", ".join(days)


def _entry(
    layer: str,
    tool: str,
    path: str,
    what: str,
    tally: Tally,
    *,
    sensitive: bool = False,
    firm: bool = True,
) -> EntryItem:
    return {
        "layer": layer,
        "tool": tool,
        "path": path,
        "what": what,
        "sensitive": sensitive,
        "firm": firm,
        "count": tally.count,
        "runs": tally.runs,
        "days": tally.days,
        "persons": tally.persons,
        "last": spelled_time(tally.last * _SECOND) if tally.last else None,
        "example": tally.example or None,
    }


def _change(change: Change) -> BaselineChangeItem:
    tally = change.tally
    return {
        "consequence": change.consequence.value,
        "tool": change.tool,
        "path": change.path,
        "text": change.text,
        "count": tally.count,
        "runs": tally.runs,
        "days": tally.days,
        "last": spelled_time(tally.last * _SECOND) if tally.last else None,
        "example": tally.example or None,
    }
