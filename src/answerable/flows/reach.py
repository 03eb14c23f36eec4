"""Three questions about permissions: reach, can, who-can."""

from collections.abc import Callable, Sequence

from answerable.connectors.iam_catalogue.fetch import load
from answerable.flows.asked import (
    Asked,
    Context,
    asked_of,
    coverage_of,
    doubted,
    missing,
    missing_of,
    subject_of,
)
from answerable.flows.given import read_given
from answerable.flows.hints import command
from answerable.flows.layers import layers_of
from answerable.flows.quotes import Quotes
from answerable.model.connector import no_progress
from answerable.model.document import Document, ReachItem
from answerable.model.inventory import Inventory
from answerable.reach import items, questions, subjects, words
from answerable.reach.keys.retagging import retagged
from answerable.reach.keys.tagging import Tagging
from answerable.reach.patterns.globs import is_literal
from answerable.reach.questions import Reply
from answerable.reach.rows.rows import make_filter, speller
from answerable.reach.subjects import Start
from answerable.reach.verdict.formula import verdict

# Who may tag a resource is worked out once for each; `can` always says it.
_MOST_EXPLAINED = 500
Progress = Callable[[int, int, str], None]


def reach(
    inventory: Inventory,
    subject: str,
    *,
    now: int,
    resource: str = "*",
    action: str = "*",
    direct: bool = False,
    context: Context = None,
    session_policy: str = "",
    endpoint_policy: str = "",
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
        context: Condition keys of the request.
        session_policy: File with the policy of the subject's own session.
        endpoint_policy: File with the policy of the VPC endpoint.
        progress: Called with what is done.

    Raises:
        UsageError: The subject is not known, its principal was not collected, or a
            file holds no policy.
    """
    progress(0, 0, "policies")
    given = read_given(inventory.facts, context, session_policy, endpoint_policy, now)
    services = subjects.services_of(inventory.facts)
    asked = asked_of(inventory, services, given, now, direct=direct)
    found = subjects.starts(asked.graph, inventory, subject_of(inventory, subject))
    wanted = make_filter(action, words.as_arn(resource))
    replies: list[Reply] = []
    for start in found.starts:
        progress(len(replies), 0, "rows")
        rows = questions.reach(asked.graph, start.identity, wanted, direct=direct)
        replies += [subjects.through(start, reply) for reply in rows]
    spelled = speller(asked.estate.catalogue, asked.estate.written, action)
    replies = [_doubted_row(asked, reply, spelled) for reply in replies]
    listed = [items.reach_item(reply, spelled) for reply in replies]
    listed = _explained(asked, replies, listed)
    pairs = list(zip(replies, listed, strict=True))
    who = [start.identity for start in found.starts]
    absent = missing(asked, pairs, action, resource, who) | set(found.not_collected)
    return Document(
        kind="reach",
        items=listed,
        coverage=coverage_of(asked, replies, absent),
        next=_next(listed),
    )


def can(
    inventory: Inventory,
    subject: str,
    action: str,
    resource: str,
    *,
    now: int,
    context: Context = None,
    session_policy: str = "",
    endpoint_policy: str = "",
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
        session_policy: File with the policy of the subject's own session.
        endpoint_policy: File with the policy of the VPC endpoint.
        direct: Leave out roles, escalation and credentials.
        expect: A verdict; the document has failed when it is another one.

    Raises:
        UsageError: Subject, action or resource are not known, the subject's
            principal was not collected, or a file holds no policy.
    """
    given = read_given(inventory.facts, context, session_policy, endpoint_policy, now)
    service = action.partition(":")[0]
    asked = asked_of(inventory, {service}, given, now, direct=direct)
    spelled = words.read_action(asked.estate.catalogue, action, load)
    target = words.read_resource(inventory.facts, resource)
    found = subjects.starts(asked.graph, inventory, subject_of(inventory, subject))
    replies = [
        subjects.through(start, _can(asked, start, spelled, target, direct=direct))
        for start in found.starts
    ]
    reply = doubted(asked, subjects.best(replies), spelled)
    absent = set(found.not_collected)
    for one in replies if verdict(reply.formula) != "always" else [reply]:
        absent |= missing_of(asked, one, spelled, target)
    coverage = coverage_of(asked, [reply], absent)
    item = items.can_item(reply, spelled, target, coverage)
    item = Tagging(asked.graph).explained(reply, item)
    item["layers"] = layers_of(asked, reply, spelled, target, absent)
    quotes = Quotes(inventory.facts, given.policies, spelled)
    quotes.add(item["determining"])
    quotes.add_along(item["path"])
    return Document(
        kind="can",
        items=[item],
        coverage=coverage,
        failed=bool(expect) and item["verdict"] != expect,
        next=command("who-can", spelled, target),
    )


def who_can(
    inventory: Inventory,
    action: str,
    resource: str,
    *,
    now: int,
    direct: bool = False,
    context: Context = None,
    session_policy: str = "",
    endpoint_policy: str = "",
) -> Document:
    """List every identity that can do one thing, and who outside may become one.

    Args:
        inventory: The snapshot.
        action: `service:Action` in any case.
        resource: ARN, `s3://` URI, `*`, or an ARN with wildcards: then all of it.
        now: UTC nanoseconds.
        direct: Leave out roles, escalation and credentials.
        context: Condition keys of the request.
        session_policy: File with a policy that limits the session of each subject.
        endpoint_policy: File with the policy of the VPC endpoint.

    Raises:
        UsageError: Action or resource are not known, or a file holds no policy.
    """
    given = read_given(inventory.facts, context, session_policy, endpoint_policy, now)
    service = action.partition(":")[0]
    asked = asked_of(inventory, {service}, given, now, direct=direct)
    spelled = words.read_action(asked.estate.catalogue, action, load)
    target = words.read_resource(inventory.facts, resource)
    found = questions.who_can(asked.graph, spelled, target, direct=direct)
    replies = [doubted(asked, reply, spelled) for reply in found]
    listed = [items.pair_item(reply, spelled, target) for reply in replies]
    listed = _explained(asked, replies, listed)
    absent = missing(asked, list(zip(replies, listed, strict=True)), spelled, target)
    return Document(
        kind="who-can",
        items=listed,
        coverage=coverage_of(asked, replies, absent),
        next=command("can", listed[0]["subject"], spelled, target) if listed else "",
    )


def _can(
    asked: Asked, start: Start, action: str, resource: str, *, direct: bool
) -> Reply:
    """Answer for one identity; a never must not rest on a tag it may set itself."""
    graph, subject = asked.graph, start.identity
    reply = questions.can(graph, subject, action, resource, direct=direct)
    if verdict(reply.formula) != "never":
        return reply
    return retagged(graph, subject, action, resource, direct=direct) or reply


def _explained(
    asked: Asked, replies: Sequence[Reply], listed: list[ReachItem]
) -> list[ReachItem]:
    """Say who may set the tags that rows ask for; of very long lists it is not said."""
    if len(listed) > _MOST_EXPLAINED:
        return listed
    tagging = Tagging(asked.graph)
    pairs = zip(replies, listed, strict=True)
    return [tagging.explained(reply, item) for reply, item in pairs]


def _doubted_row(asked: Asked, reply: Reply, spelled: Callable[[str], str]) -> Reply:
    """Leave open a row of one action that the catalogue does not hold."""
    if reply.row is None or not is_literal(reply.row.actions.pattern):
        return reply
    return doubted(asked, reply, spelled(reply.row.actions.pattern))


def _next(listed: Sequence[ReachItem]) -> str:
    """Suggest asking the other direction of a row that names one action."""
    for item in listed:
        if not set("*? ") & set(item["action"]):
            resource = item["resource"] if " " not in item["resource"] else "RESOURCE"
            return command("who-can", item["action"], resource)
    return ""
