"""Evaluate one call for the AWS identities of a subject, with proof and missing data."""

from dataclasses import replace
from itertools import islice

from answerable.model.ids import IdentityId
from answerable.reach.answer_items import build_bare_item
from answerable.reach.aws import subject_answers, subject_queries
from answerable.reach.aws.answer_coverage import depends_on_unread_policy
from answerable.reach.aws.answer_items import build_permission_item
from answerable.reach.aws.compiled.uncollected_allows import rests_on_uncollected_allow
from answerable.reach.aws.condition_keys.self_tagging import (
    answer_with_self_set_tags,
    list_tag_granted_resources,
)
from answerable.reach.aws.condition_keys.tag_explanations import TagExplainer
from answerable.reach.aws.policy_layers import list_policy_layers
from answerable.reach.aws.query_context import (
    QueryContext,
    list_answer_gaps,
    list_assumed_policies,
    list_missing_for_reply,
    mark_unknown_action,
)
from answerable.reach.aws.resource_pattern_answers import (
    answer_can_on_pattern,
    is_pattern_question,
)
from answerable.reach.aws.resource_pattern_union import (
    list_example_resources,
    merge_pattern_answers,
)
from answerable.reach.aws.statement_quotes import StatementQuotes, load_statement_index
from answerable.reach.aws.subject_queries import PatternExtent, ReachAnswer
from answerable.reach.formula import Verdict, get_verdict
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
    known, unknown = _evaluate_identities(query, question)
    if not known:
        item = build_bare_item(question.subject, action, resource, Verdict.NOT_KNOWN)
        return Answer(item, tuple(unknown))
    merged = _merge_answers(query, known, action, resource)
    reply = mark_unknown_action(query, merged, action)
    # An unknown identity of an agent does not change what another one certainly may do.
    certain = get_verdict(reply.formula) is Verdict.ALWAYS
    missing: set[str] = set()
    for one in [reply] if certain else known:
        missing |= list_missing_for_reply(query, one, action, resource)
    item = TagExplainer(query.graph).explain(
        reply, build_permission_item(reply, action, resource)
    )
    item["assuming"] = list_assumed_policies(query, reply, missing)
    item["layers"] = list_policy_layers(query, reply, action, resource, missing)
    quotes = StatementQuotes(
        load_statement_index(query.inventory), query.stated.policies
    )
    quotes.set_call(action, resource)
    quotes.add_quotes(item["determining"])
    quotes.add_quotes_on_path(item["path"])
    return Answer(
        item,
        tuple(unknown),
        list_answer_gaps(query, [reply], missing),
        depends_on_unread_policy([reply]),
    )


def _evaluate_identities(
    query: QueryContext, question: Question
) -> tuple[list[ReachAnswer], list[UnknownSubject]]:
    """Evaluate each identity of a subject, and list those without permission data."""
    known: list[ReachAnswer] = []
    unknown: list[UnknownSubject] = []
    action, resource = question.action, question.resource
    for start in question.identities:
        reply = _evaluate_identity(query, start, action, resource, direct=query.direct)
        if start.unknown and _is_open_for_subject(query, reply, action, resource):
            unknown.insert(0, start.unknown)
        else:
            known.append(subject_answers.prepend_subject(start, reply))
    if not known and _is_impossible(query, action, resource):
        anyone = IdentityId("*")
        reply = subject_queries.answer_can(
            query.graph, anyone, action, resource, direct=True
        )
        return [replace(reply, subject=question.subject)], []
    return known, unknown


def _is_impossible(query: QueryContext, action: str, resource: str) -> bool:
    """Return whether an action never takes such a resource."""
    pattern = is_pattern_question(query.compiled_accounts, action, resource)
    return not pattern and query.compiled_accounts.get_request(action, resource) is None


def _merge_answers(
    query: QueryContext, answers: list[ReachAnswer], action: str, resource: str
) -> ReachAnswer:
    """Merge the answers of the identities that one subject acts as."""
    if is_pattern_question(query.compiled_accounts, action, resource):
        return merge_pattern_answers(query.graph, action, resource, answers)
    return subject_answers.choose_best_answer(answers)


def _is_open_for_subject(
    query: QueryContext, answer: ReachAnswer, action: str, resource: str
) -> bool:
    """Return whether missing policies of the subject leave an answer open.

    They do not if the action takes no such resource, or if the subject acts by itself
    and is denied outright.
    """
    if not rests_on_uncollected_allow(answer.formula):
        return False
    if query.compiled_accounts.get_request(action, resource) is None:
        return False
    denied = any(each.effect in ("deny", "impossible") for each in answer.determining)
    return not (query.direct and denied)


def _add_tag_example(
    query: QueryContext, answer: ReachAnswer, action: str, resource: str
) -> ReachAnswer:
    """Answer `part` if tags that the subject may set allow part of a pattern."""
    subject = IdentityId(answer.subject)
    if (
        answer.covers is not PatternExtent.NONE
        or subject not in query.compiled_accounts.principals
    ):
        return answer
    account = query.compiled_accounts.principals[subject].identity.account
    granted = list_tag_granted_resources(query.graph, action)
    written = list_example_resources(
        query.compiled_accounts, action, resource, account, granted
    )
    for one in islice(written, _MOST_EXAMPLES):
        found = answer_with_self_set_tags(
            query.graph, subject, action, one, direct=query.direct
        )
        if found is not None:
            return replace(found, covers=PatternExtent.PART)
    return answer


def _evaluate_identity(
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
        reply = answer_can_on_pattern(graph, subject, action, resource, direct=direct)
        return _add_tag_example(query, reply, action, resource)
    reply = subject_queries.answer_can(graph, subject, action, resource, direct=direct)
    if get_verdict(reply.formula) != "never":
        return reply
    return (
        answer_with_self_set_tags(graph, subject, action, resource, direct=direct)
        or reply
    )
