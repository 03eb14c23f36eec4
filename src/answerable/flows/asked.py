"""One question about permissions: its estate, and what could change the answer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from answerable.connectors.iam_catalogue.fetch import load
from answerable.flows import lists
from answerable.flows.given import Given
from answerable.flows.heap import settled
from answerable.inventory.resolve import Kind, resolve
from answerable.model.document import Coverage, ReachItem
from answerable.model.errors import AmbiguousError, UsageError
from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.reach import questions
from answerable.reach.collected import Collected
from answerable.reach.coverage import is_partial, not_collected
from answerable.reach.estate.estate import Estate, compile_estate
from answerable.reach.estate.outside import caller_of
from answerable.reach.paths.graph import Graph
from answerable.reach.questions import Reply
from answerable.reach.verdict.formula import FALSE, atom, both

_SUBJECTS: tuple[Kind, ...] = ("agent", "identity", "credential")
CATALOGUE = "answerable:action-catalogue"
NOBODY = IdentityId("")
Context = Mapping[str, tuple[str, ...]] | None


@dataclass(frozen=True, slots=True)
class Asked:
    """One question's estate, with what the snapshot collected."""

    inventory: Inventory
    graph: Graph
    collected: Collected
    given: Given
    direct: bool
    now: int

    @property
    def estate(self) -> Estate:
        """The facts, compiled."""
        return self.graph.estate


def asked_of(
    inventory: Inventory,
    services: Iterable[str],
    given: Given,
    now: int,
    *,
    direct: bool = False,
) -> Asked:
    """Compile a snapshot for one question.

    Args:
        inventory: The snapshot.
        services: Whose actions the catalogue must know.
        given: What the question states.
        now: UTC nanoseconds.
        direct: Whether paths are left aside.
    """
    collected = Collected(held for c in inventory.coverage for held in c.held)
    catalogue = load(services)
    with settled():
        estate = compile_estate(
            inventory.facts,
            catalogue,
            given=given.context,
            tags_collected=_tags_collected(inventory),
            session=given.session,
            endpoint=given.endpoint,
        )
    return Asked(inventory, Graph(estate), collected, given, direct, now)


def _tags_collected(inventory: Inventory) -> bool:
    """Tell whether each source that tells of resources told of their tags."""
    told = [c.collected for c in inventory.coverage if c.connector == "aws-resources"]
    return bool(told) and all("resource-tags" in words for words in told)


def subject_of(inventory: Inventory, text: str) -> str:
    """Find whom a question is about: somebody scanned, or a caller from outside.

    Raises:
        UsageError: The text names nobody, or several.
    """
    try:
        return resolve(inventory, text, _SUBJECTS)
    except AmbiguousError:
        raise
    except UsageError:
        asked = text.strip()
        accounts = {i.account for i in inventory.facts.identities}
        caller = caller_of(asked, {})
        if caller is None or (caller.account and caller.account in accounts):
            raise
        return asked


def doubted(asked: Asked, reply: Reply, action: str) -> Reply:
    """Leave open a call of an action that the catalogue does not hold.

    It may be new or may not exist, and which resources it takes is not known.
    """
    if reply.formula == FALSE or asked.estate.catalogue.action(action):
        return reply
    unheld = atom(CATALOGUE, "Holds", (action,))
    return replace(reply, formula=both(reply.formula, unheld))


def missing(
    asked: Asked,
    pairs: Sequence[tuple[Reply, ReachItem]],
    action: str,
    resource: str,
    subjects: Iterable[IdentityId] = (NOBODY,),
) -> set[str]:
    """Name what could change any answer; of an empty list, what could add to it.

    Args:
        asked: The question.
        pairs: Each answer, with its item.
        action: The action asked about, or a pattern.
        resource: Likewise.
        subjects: Of whom the list is; nobody where it is of everybody.
    """
    found: set[str] = set()
    for reply, item in pairs:
        found |= missing_of(asked, reply, item["action"], item["resource"])
    # What grants could add a row that is not there.
    for subject in subjects:
        nothing = replace(questions.nobody(), subject=subject, actor=subject)
        found |= missing_of(asked, nothing, action, resource)
    return found


def missing_of(asked: Asked, reply: Reply, action: str, resource: str) -> set[str]:
    """Name what was not collected and could change one answer."""
    found = set(
        not_collected(
            asked.estate,
            asked.collected,
            action,
            resource,
            reply,
            direct=asked.direct,
        )
    )
    if not set("*? ") & set(action) and not asked.estate.catalogue.action(action):
        found.add("action-catalogue")
    return found


def coverage_of(asked: Asked, replies: Iterable[Reply], absent: set[str]) -> Coverage:
    """Say what an answer rests on.

    Args:
        asked: The question.
        replies: The answers.
        absent: What was not collected and could change them.
    """
    replies = list(replies)
    acting = (asked.estate.principals.get(reply.actor) for reply in replies)
    accounts = {principal.identity.account for principal in acting if principal}
    needed = {
        asked.collected.lacking(word, account)
        for word in ("identity-policies", "role-trust")
        for account in accounts or {""}
    }
    known = sorted((absent | needed) - {""})
    coverage = lists.coverage(asked.inventory, asked.now, known)
    if is_partial(replies):
        coverage["partial"] = True
    return coverage
