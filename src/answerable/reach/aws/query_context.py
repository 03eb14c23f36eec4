"""Build the context of a permission query: compiled snapshot, and data it lacks."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from answerable.model.documents.shared_shapes import ReachItem
from answerable.model.errors import UsageError
from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.reach.aws import subject_queries
from answerable.reach.aws.answer_coverage import (
    list_acting_principals,
    list_not_collected,
)
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled_graph import (
    AwsHost,
    are_tags_collected,
    compile_large_snapshot,
    count_stored_principals,
    list_services_named_by_policies,
    load_graph,
)
from answerable.reach.aws.evaluation.context_keys import NO_KEYS
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.stated_context import StatedContext
from answerable.reach.aws.statement_quotes import (
    STATEMENTS_KEY,
    get_policy_statement_index,
)
from answerable.reach.aws.subject_queries import ReachAnswer
from answerable.reach.collection_coverage import CollectedData
from answerable.reach.condition_formula import FALSE, build_atom, conjoin
from answerable.reach.verdict_assumptions import list_assumed_policy_kinds

CATALOGUE = "answerable:action-catalogue"
NO_IDENTITY = IdentityId("")
# To compute the steps between all identities takes 2 GiB at 30,000 and more than 8 GiB at
# 100,000. A process that keeps a snapshot for many queries ignores paths earlier.
MOST_FOLLOWED = 12_000
# A single command may use some gigabytes and minutes once; later ones read its result.
MOST_AT_COMMAND = 30_000
_KEPT_GRAPH = "the compiled snapshot"
ConditionContext = Mapping[str, tuple[str, ...]] | None


@dataclass(frozen=True, slots=True)
class QueryContext:
    """Compiled snapshot of one permission query, with the coverage of the snapshot.

    Attributes:
        host: Functions of the process.
        collected: Data that the snapshot collected.
        stated: Stated context.
        direct: Whether paths are ignored.
        now: UTC nanoseconds.
        cut: Whether paths are ignored although they were requested.
    """

    host: AwsHost
    inventory: Inventory
    graph: IdentityGraph
    collected: CollectedData
    stated: StatedContext
    direct: bool
    now: int
    cut: bool = False

    @property
    def compiled_accounts(self) -> CompiledAccounts:
        """Compiled accounts and policies of the snapshot."""
        return self.graph.accounts


def build_query_context(
    host: AwsHost,
    inventory: Inventory,
    services: Iterable[str] | None,
    stated: StatedContext,
    now: int,
    *,
    direct: bool = False,
    compile_all: bool = False,
) -> QueryContext:
    """Compile a snapshot, or reuse a compiled one, for a permission query.

    Args:
        services: Services whose actions the catalogue must know; None for all services
            that policies name.
        stated: Stated context.
        now: UTC nanoseconds.
        direct: Whether paths are ignored.
        compile_all: Compile every statement, for an edit or for all identities; of a
            stored snapshot with too many identities to follow every path, none is.
    """
    collected = CollectedData(held for c in inventory.coverage for held in c.held)
    kept = inventory.get_value_if_computed(_KEPT_GRAPH)
    if isinstance(kept, CompiledSnapshot) and not stated.stated_policies:
        graph = kept.get_graph_under_stated_keys(stated)
        cut = not direct and len(graph.accounts.principals) > MOST_FOLLOWED
    else:
        compile_large_snapshot(host, inventory)
        compile_all &= count_stored_principals(inventory) <= MOST_AT_COMMAND
        needed = (
            list_services_named_by_policies(inventory) if services is None else services
        )
        if compile_all or stated != StatedContext():
            graph = load_graph(host, inventory, needed, stated, compile_all=compile_all)
        else:  # steps from other platforms open it again for the same question
            graph = inventory.get_or_compute_value(
                f"the graph of {','.join(sorted(needed))}",
                lambda _: load_graph(host, inventory, needed, stated),
            )
        cut = not direct and len(graph.accounts.principals) > MOST_AT_COMMAND
    return QueryContext(
        host=host,
        inventory=inventory,
        graph=graph,
        collected=collected,
        stated=stated,
        direct=direct or cut,
        now=now,
        cut=cut,
    )


class CompiledSnapshot:
    """Snapshot compiled once for all queries; one query runs at a time."""

    def __init__(
        self,
        host: AwsHost,
        inventory: Inventory,
        graph: IdentityGraph | None = None,
    ) -> None:
        self._host = host
        self._graph = graph or load_graph(
            host, inventory, None, StatedContext(), compile_all=True
        )
        from answerable.reach.aws.condition_keys.self_tagging import (
            list_tag_dependent_statements,
        )

        with host.pause_collection():
            self._graph.accounts.build_lookup_tables()
            list_tag_dependent_statements(self._graph)

    def update_to_later_snapshot(
        self, before: Inventory, after: Inventory
    ) -> "CompiledSnapshot":
        """Recompile for a later snapshot only what changed since this one.

        Cached steps are kept, except those that an edit of policies affects; if other
        facts differ, the whole snapshot is compiled again.

        Args:
            before: The snapshot that this graph was compiled from.
        """
        from answerable.reach.aws.bulk.closure import GraphClosure
        from answerable.reach.aws.bulk.incremental_update import (
            update_closure_incrementally,
        )
        from answerable.reach.aws.bulk.reuse_facts import reuse_unchanged_facts

        whole = self._graph.all
        tags = are_tags_collected(before) == are_tags_collected(after)
        if isinstance(whole, GraphClosure) and tags:
            facts = reuse_unchanged_facts(before.facts, after.facts)
            now = facts and update_closure_incrementally(whole, before.facts, facts)
            if now:
                return CompiledSnapshot(self._host, after, now.graph)
        return CompiledSnapshot(self._host, after)

    def count_principals(self) -> int:
        """Count the compiled principals."""
        return len(self._graph.accounts.principals)

    def get_graph_under_stated_keys(self, stated: StatedContext) -> IdentityGraph:
        """Return the graph under the condition keys that a query states."""
        if stated.context is NO_KEYS:
            return self._graph
        # Places stay known; steps may depend on the stated context.
        return self._graph.with_compiled_accounts(
            self._graph.accounts.with_stated_keys(stated.context)
        )


def compile_snapshot(
    host: AwsHost, inventory: Inventory, before: Inventory | None = None
) -> None:
    """Compile a snapshot once for all queries about it.

    Args:
        before: The previous snapshot of the store. The compiled graph is reused if both
            have the same scans, as audit logs and ageing change no policy, and updated
            if only policies differ.
    """
    same = before if before is not None and before.name == inventory.name else None
    kept = same.get_value_if_computed(_KEPT_GRAPH) if same else None
    if same and isinstance(kept, CompiledSnapshot):
        written = get_policy_statement_index(same)
        inventory.get_or_compute_value(_KEPT_GRAPH, lambda _: kept)
        inventory.get_or_compute_value(STATEMENTS_KEY, lambda _: written)
    elif before is not None and isinstance(
        last := before.get_value_if_computed(_KEPT_GRAPH), CompiledSnapshot
    ):
        updated = last.update_to_later_snapshot(before, inventory)
        inventory.get_or_compute_value(_KEPT_GRAPH, lambda _: updated)
        get_policy_statement_index(inventory)
    else:
        inventory.get_or_compute_value(
            _KEPT_GRAPH, lambda each: CompiledSnapshot(host, each)
        )
        get_policy_statement_index(inventory)


def can_follow_every_path(host: AwsHost, inventory: Inventory) -> bool:
    """Return whether an edit may follow every path; a large snapshot is compiled first."""
    kept = inventory.get_value_if_computed(_KEPT_GRAPH)
    if isinstance(kept, CompiledSnapshot):
        return kept.count_principals() <= MOST_FOLLOWED
    compile_large_snapshot(host, inventory)
    return count_stored_principals(inventory) <= MOST_AT_COMMAND


def get_most_followed(inventory: Inventory) -> int:
    """Return the most identities whose paths are followed at once."""
    kept = inventory.get_value_if_computed(_KEPT_GRAPH)
    return MOST_FOLLOWED if isinstance(kept, CompiledSnapshot) else MOST_AT_COMMAND


def require_assume_role_paths(query: QueryContext) -> None:
    """Refuse a query that needs assume-role paths if they are not followed.

    Raises:
        UsageError: The snapshot has too many identities.
    """
    if not query.cut:
        return
    size = len(query.compiled_accounts.principals)
    if size > MOST_AT_COMMAND:
        raise UsageError(
            "too many identities to follow every path "
            f"(got {size:,}, expected at most {MOST_AT_COMMAND:,})",
            "scan fewer accounts into a separate store: --store FOLDER",
        )
    raise UsageError(
        "too many identities to follow every path in a server "
        f"(got {size:,}, expected at most {MOST_FOLLOWED:,})",
        "use the command line, which follows every path",
    )


def mark_verdict_of_unknown_action(
    query: QueryContext, answer: ReachAnswer, action: str
) -> ReachAnswer:
    """Mark a verdict as open if the catalogue does not know the action.

    It may be new or misspelled, and its resource types are not known.
    """
    if answer.formula == FALSE or query.compiled_accounts.catalogue.find_action(action):
        return answer
    unheld = build_atom(CATALOGUE, "Holds", (action,))
    parts = tuple(
        replace(part, formula=conjoin(part.formula, unheld)) for part in answer.parts
    )
    return replace(answer, formula=conjoin(answer.formula, unheld), parts=parts)


def list_missing_data_for_answers(
    query: QueryContext,
    pairs: Sequence[tuple[ReachAnswer, ReachItem]],
    action: str,
    resource: str,
    subjects: Iterable[IdentityId] = (NO_IDENTITY,),
) -> set[str]:
    """List uncollected data that could change an answer or extend an empty list.

    Args:
        pairs: Each answer with its item.
        action: Queried action or pattern.
        resource: Queried resource or pattern.
        subjects: Subjects of the list; empty for all identities.
    """
    found: set[str] = set()
    for reply, item in pairs:
        absent = list_missing_data_for_answer(
            query, reply, item["action"], item["resource"]
        )
        item["assuming"] = list_assumed_policy_kinds_of_answer(query, reply, absent)
        found |= absent
    # Uncollected data that could add a row.
    for subject in subjects:
        nothing = replace(
            subject_queries.build_never_answer(), subject=subject, actor=subject
        )
        found |= list_missing_data_for_answer(query, nothing, action, resource)
    return found


def list_missing_data_for_answer(
    query: QueryContext, answer: ReachAnswer, action: str, resource: str
) -> set[str]:
    """List uncollected data that could change one answer."""
    found = set(
        list_not_collected(
            query.compiled_accounts,
            query.collected,
            action,
            resource,
            answer,
            direct=query.direct,
        )
    )
    if not set("*? ") & set(
        action
    ) and not query.compiled_accounts.catalogue.find_action(action):
        found.add("action-catalogue")
    return found


def list_assumed_policy_kinds_of_answer(
    query: QueryContext, answer: ReachAnswer, missing: set[str]
) -> list[str]:
    """List the kinds of uncollected policy that could change one verdict."""
    words = set(missing)
    accounts = {
        actor.identity.account
        for actor in list_acting_principals(query.compiled_accounts, answer)
    }
    words |= _list_data_required_by_every_answer(query, accounts)
    if query.cut:
        words.add("paths")
    return list_assumed_policy_kinds(words, (gap.policy for gap in answer.gaps))


def _list_data_required_by_every_answer(
    query: QueryContext, accounts: Set[str]
) -> set[str]:
    """List the data that any answer about some accounts requires."""
    return {
        query.collected.name_missing_data(word, account)
        for word in ("identity-policies", "role-trust")
        for account in accounts
    }


def pick_identity_per_account(query: QueryContext) -> list[IdentityId]:
    """Pick one collected identity of each account, to report the account's gaps."""
    found = {
        each.identity.account: each.id
        for each in query.compiled_accounts.principals.values()
        if each.collected
    }
    return [name for _, name in sorted(found.items())]


def list_missing_data_of_list(
    query: QueryContext, answers: Iterable[ReachAnswer], missing: set[str]
) -> frozenset[str]:
    """List the missing data of answers, with what any answer about an account requires.

    Args:
        missing: Uncollected data that could change the answers.
    """
    acting = (
        actor
        for reply in answers
        for actor in list_acting_principals(query.compiled_accounts, reply)
    )
    accounts = {actor.identity.account for actor in acting}
    needed = _list_data_required_by_every_answer(query, accounts or {""})
    paths = {"paths"} if query.cut else set()
    return frozenset((missing | needed | paths) - {""})
