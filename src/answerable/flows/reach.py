"""Three questions about permissions: reach, can, who-can."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from answerable.connectors.iam_catalogue.fetch import load
from answerable.flows import lists
from answerable.flows.hints import command
from answerable.inventory.resolve import Kind, resolve
from answerable.model.connector import no_progress
from answerable.model.document import Coverage, Document, ReachItem
from answerable.model.inventory import Inventory
from answerable.reach import items, questions, subjects, words
from answerable.reach.context import NOTHING, Known
from answerable.reach.coverage import is_partial, not_collected
from answerable.reach.estate import Estate, compile_estate
from answerable.reach.formula import verdict
from answerable.reach.graph import Graph
from answerable.reach.questions import Reply
from answerable.reach.rows import make_filter, speller

_SUBJECTS: tuple[Kind, ...] = ("agent", "identity", "credential")
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question's estate, with what the snapshot collected."""

    inventory: Inventory
    graph: Graph
    collected: frozenset[str]
    now: int

    @property
    def estate(self) -> Estate:
        return self.graph.estate


def reach(
    inventory: Inventory,
    subject: str,
    *,
    now: int,
    resource: str = "*",
    action: str = "*",
    direct: bool = False,
    progress: Progress = no_progress,
) -> Document:
    """List what a subject can do, directly and through whom it can become.

    Args:
        inventory: The snapshot.
        subject: Agent, identity or credential: id, ARN or unambiguous name.
        now: UTC nanoseconds.
        resource: Only rows that could touch a resource matching this glob.
        action: Only rows that could be an action matching this glob.
        direct: Leave out roles, escalation and credentials.
        progress: Called with what is done.

    Raises:
        UsageError: The subject is not known, or its principal was not collected.
    """
    progress(0, 0, "policies")
    asked = _asked(inventory, subjects.services_of(inventory.facts), NOTHING, now)
    found = subjects.starts(asked.graph, inventory, _subject(inventory, subject))
    wanted = make_filter(action, words.as_arn(resource))
    replies: list[Reply] = []
    for start in found.starts:
        progress(len(replies), 0, "rows")
        rows = questions.reach(asked.graph, start.identity, wanted, direct=direct)
        replies += [subjects.through(start, reply) for reply in rows]
    spelled = speller(asked.estate.catalogue, asked.estate.written, action)
    listed = [items.reach_item(reply, spelled) for reply in replies]
    missing = _missing(asked, list(zip(replies, listed, strict=True)), action, resource)
    missing |= set(found.not_collected)
    return Document(
        kind="reach",
        items=listed,
        coverage=_coverage(asked, replies, missing),
        next=_next(listed),
    )


def can(
    inventory: Inventory,
    subject: str,
    action: str,
    resource: str,
    *,
    now: int,
    context: Mapping[str, tuple[str, ...]] | None = None,
    direct: bool = False,
    expect: str = "",
) -> Document:
    """Say whether a subject can do one thing, with the proof.

    Args:
        inventory: The snapshot.
        subject: Agent, identity or credential: id, ARN or unambiguous name.
        action: `service:Action` in any case.
        resource: ARN, `s3://` URI, `*`, or an ARN with wildcards: then all of it.
        now: UTC nanoseconds.
        context: Condition keys of the request.
        direct: Leave out roles, escalation and credentials.
        expect: A verdict; the document has failed when it is another one.

    Raises:
        UsageError: Subject, action or resource are not known, or the subject's
            principal was not collected.
    """
    given = Known({key.lower(): values for key, values in (context or {}).items()})
    asked = _asked(inventory, {action.partition(":")[0]}, given, now)
    spelled = words.read_action(asked.estate.catalogue, action, load)
    target = words.read_resource(inventory.facts, resource)
    found = subjects.starts(asked.graph, inventory, _subject(inventory, subject))
    replies = [
        subjects.through(
            start,
            questions.can(asked.graph, start.identity, spelled, target, direct=direct),
        )
        for start in found.starts
    ]
    reply = subjects.best(replies)
    missing = set(found.not_collected)
    for one in replies if verdict(reply.formula) != "always" else [reply]:
        missing |= set(
            not_collected(asked.estate, asked.collected, spelled, target, one)
        )
    coverage = _coverage(asked, [reply], missing)
    item = items.can_item(reply, spelled, target, coverage)
    return Document(
        kind="can",
        items=[item],
        coverage=coverage,
        failed=bool(expect) and item["verdict"] != expect,
        next=command("who-can", spelled, target),
    )


def who_can(
    inventory: Inventory, action: str, resource: str, *, now: int, direct: bool = False
) -> Document:
    """List every identity that can do one thing, and who outside may become one.

    Args:
        inventory: The snapshot.
        action: `service:Action` in any case.
        resource: ARN, `s3://` URI, `*`, or an ARN with wildcards: then all of it.
        now: UTC nanoseconds.
        direct: Leave out roles, escalation and credentials.

    Raises:
        UsageError: Action or resource are not known.
    """
    asked = _asked(inventory, {action.partition(":")[0]}, NOTHING, now)
    spelled = words.read_action(asked.estate.catalogue, action, load)
    target = words.read_resource(inventory.facts, resource)
    replies = list(questions.who_can(asked.graph, spelled, target, direct=direct))
    listed = [items.pair_item(reply, spelled, target) for reply in replies]
    missing = _missing(asked, list(zip(replies, listed, strict=True)), spelled, target)
    return Document(
        kind="who-can",
        items=listed,
        coverage=_coverage(asked, replies, missing),
        next=command("can", listed[0]["subject"], spelled, target) if listed else "",
    )


def _next(listed: Sequence[ReachItem]) -> str:
    """Suggest asking the other direction of a row that names one action."""
    for item in listed:
        if not set("*? ") & set(item["action"]):
            resource = item["resource"] if " " not in item["resource"] else "RESOURCE"
            return command("who-can", item["action"], resource)
    return ""


def _asked(
    inventory: Inventory, services: Iterable[str], given: Known, now: int
) -> _Asked:
    collected = frozenset(word for c in inventory.coverage for word in c.collected)
    estate = compile_estate(
        inventory.facts,
        load(services),
        given=given,
        tags_collected="resource-tags" in collected,
    )
    return _Asked(inventory, Graph(estate), collected, now)


def _subject(inventory: Inventory, text: str) -> str:
    return resolve(inventory, text, _SUBJECTS)


def _missing(
    asked: _Asked,
    pairs: Sequence[tuple[Reply, ReachItem]],
    action: str,
    resource: str,
) -> set[str]:
    """Name what could change any answer; of an empty list, what could add to it."""
    found: set[str] = set()
    for reply, item in pairs:
        found |= set(
            not_collected(
                asked.estate, asked.collected, item["action"], item["resource"], reply
            )
        )
    # What grants could add a row that is not there.
    nobody = questions.nobody()
    found |= set(not_collected(asked.estate, asked.collected, action, resource, nobody))
    return found


def _coverage(asked: _Asked, replies: Iterable[Reply], missing: set[str]) -> Coverage:
    needed = {"identity-policies", "role-trust"} - asked.collected
    coverage = lists.coverage(asked.inventory, asked.now, sorted(missing | needed))
    if is_partial(replies):
        coverage["partial"] = True
    return coverage
