"""Evaluate one call for the AWS identities of a subject, with proof and missing data."""

from dataclasses import replace
from itertools import islice

from answerable.model.ids import IdentityId
from answerable.reach.answer_items import build_item_without_statements
from answerable.reach.aws import subject_answers, subject_queries
from answerable.reach.aws.answer_coverage import depends_on_unread_statements
from answerable.reach.aws.answer_items import build_call_answer_item
from answerable.reach.aws.call_parsing import is_pattern_question
from answerable.reach.aws.compiled.uncollected_allows import rests_on_uncollected_allow
from answerable.reach.aws.policy_layers import list_policy_layer_states
from answerable.reach.aws.query_context import (
    QueryContext,
    list_assumed_policy_kinds_of_answer,
    list_missing_data_for_answer,
    list_missing_data_of_list,
    mark_verdict_of_unknown_action,
)
from answerable.reach.aws.statement_quotes import (
    StatementQuotes,
    get_policy_statement_index,
)
from answerable.reach.aws.subject_queries import PatternExtent, ReachAnswer
from answerable.reach.condition_formula import Verdict, get_verdict
from answerable.reach.platform import (
    Answer,
    Question,
    SubjectIdentity,
    UnknownSubject,
)

# Each example is evaluated for the nearest identities that the subject can assume.
_MOST_EXAMPLES = 32


def evaluate_call(query: QueryContext, question: Question) -> Answer:
    """Evaluate one call for the identities of a question; the best answer of all."""
    action, resource = question.action, question.resource
    known, unknown = _evaluate_subject_identities(query, question)
    if not known:
        item = build_item_without_statements(
            question.subject, action, resource, Verdict.NOT_KNOWN
        )
        return Answer(item, tuple(unknown))
    merged = _merge_answers_of_identities(query, known, action, resource)
    reply = mark_verdict_of_unknown_action(query, merged, action)
    # An unknown identity of an agent does not change what another one certainly may do.
    certain = get_verdict(reply.formula) is Verdict.ALWAYS
    missing: set[str] = set()
    for one in [reply] if certain else known:
        missing |= list_missing_data_for_answer(query, one, action, resource)
    item = build_call_answer_item(reply, action, resource)
    if item["conditions"]:
        from answerable.reach.aws.condition_keys.tag_explanations import TagExplainer

        item = TagExplainer(query.graph).add_tag_setters_to_answer(reply, item)
    item["assuming"] = list_assumed_policy_kinds_of_answer(query, reply, missing)
    item["layers"] = list_policy_layer_states(query, reply, action, resource, missing)
    quotes = StatementQuotes(
        get_policy_statement_index(query.inventory), query.stated.stated_policies
    )
    quotes.set_queried_call(action, resource)
    quotes.add_quotes_to_items(item["determining"])
    quotes.add_quotes_to_path_items(item["path"])
    return Answer(
        item,
        tuple(unknown),
        list_missing_data_of_list(query, [reply], missing),
        depends_on_unread_statements([reply]),
    )


def _evaluate_subject_identities(
    query: QueryContext, question: Question
) -> tuple[list[ReachAnswer], list[UnknownSubject]]:
    """Evaluate each identity of a subject, and list those without permission data."""
    known: list[ReachAnswer] = []
    unknown: list[UnknownSubject] = []
    action, resource = question.action, question.resource
    for start in question.identities:
        reply = _evaluate_call_for_identity(
            query, start, action, resource, direct=query.direct
        )
        if start.unknown and _is_left_open_by_missing_policies(
            query, reply, action, resource
        ):
            unknown.insert(0, start.unknown)
        else:
            known.append(subject_answers.prepend_subject_to_answer(start, reply))
    if not known and _is_impossible_call(query, action, resource):
        anyone = IdentityId("*")
        reply = subject_queries.answer_subject(
            query.graph, anyone, action, resource, direct=True
        )
        return [replace(reply, subject=question.subject)], []
    return known, unknown


def _is_impossible_call(query: QueryContext, action: str, resource: str) -> bool:
    """Return whether an action never takes such a resource."""
    pattern = is_pattern_question(query.compiled_accounts, action, resource)
    return (
        not pattern
        and query.compiled_accounts.get_cached_request(action, resource) is None
    )


def _merge_answers_of_identities(
    query: QueryContext, answers: list[ReachAnswer], action: str, resource: str
) -> ReachAnswer:
    """Merge the answers of a subject's identities: the most permissive wins."""
    if is_pattern_question(query.compiled_accounts, action, resource):
        from answerable.reach.aws.resource_pattern_union import merge_pattern_answers

        return merge_pattern_answers(query.graph, action, resource, answers)
    return subject_answers.choose_best_answer(answers)


def _is_left_open_by_missing_policies(
    query: QueryContext, answer: ReachAnswer, action: str, resource: str
) -> bool:
    """Return whether missing policies of the subject leave an answer open.

    They do not if the action takes no such resource, or if the subject acts by itself
    and is denied outright.
    """
    if not rests_on_uncollected_allow(answer.formula):
        return False
    if query.compiled_accounts.get_cached_request(action, resource) is None:
        return False
    denied = any(each.effect in ("deny", "impossible") for each in answer.determining)
    return not (query.direct and denied)


def _answer_part_if_tags_allow(
    query: QueryContext, answer: ReachAnswer, action: str, resource: str
) -> ReachAnswer:
    """Answer `part` if tags that the subject may set allow part of a pattern."""
    subject = IdentityId(answer.subject)
    if (
        answer.covers is not PatternExtent.NONE
        or subject not in query.compiled_accounts.principals
    ):
        return answer
    from answerable.reach.aws.condition_keys import self_tagging
    from answerable.reach.aws.resource_pattern_union import list_example_arns

    account = query.compiled_accounts.principals[subject].identity.account
    granted = self_tagging.list_tag_granted_resources(query.graph, action)
    written = list_example_arns(
        query.compiled_accounts, action, resource, account, granted
    )
    for one in islice(written, _MOST_EXAMPLES):
        found = self_tagging.answer_with_self_set_tags(
            query.graph, subject, action, one, direct=query.direct
        )
        if found is not None:
            return replace(found, covers=PatternExtent.PART)
    return answer


def _evaluate_call_for_identity(
    query: QueryContext,
    start: SubjectIdentity,
    action: str,
    resource: str,
    *,
    direct: bool,
) -> ReachAnswer:
    """Evaluate the call for one identity, also with the tags that it may set itself."""
    graph, subject = query.graph, start.identity
    if is_pattern_question(query.compiled_accounts, action, resource):
        from answerable.reach.aws.resource_pattern_answers import answer_call_on_pattern

        reply = answer_call_on_pattern(graph, subject, action, resource, direct=direct)
        return _answer_part_if_tags_allow(query, reply, action, resource)
    reply = subject_queries.answer_subject(
        graph, subject, action, resource, direct=direct
    )
    if get_verdict(reply.formula) != "never":
        return reply
    from answerable.reach.aws.condition_keys.self_tagging import (
        answer_with_self_set_tags,
    )

    return (
        answer_with_self_set_tags(graph, subject, action, resource, direct=direct)
        or reply
    )
