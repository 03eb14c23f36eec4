"""Build the context of questions that only AWS answers: edits, cuts, exposures, usage."""

from collections.abc import Iterable

from answerable.model.documents.not_known import SearchScopeItem
from answerable.model.documents.shared_shapes import CoverageRecord
from answerable.presentation import answer_coverage
from answerable.reach.aws.answer_coverage import depends_on_unread_statements
from answerable.reach.aws.platform import AwsEvaluator
from answerable.reach.aws.query_context import QueryContext, list_missing_data_of_list
from answerable.reach.aws.subject_queries import ReachAnswer
from answerable.reach.open_platforms import OpenPlatforms
from answerable.reach.platform import Question
from answerable.reach.subject_identities import SubjectIdentities
from answerable.services.reach.platform_registry import AWS, open_platforms
from answerable.services.reach.unknown_verdict_rows import describe_search_scope


def find_subject_identities(query: QueryContext, subject: str) -> SubjectIdentities:
    """Find the identities that a subject acts as, on all platforms."""
    return _open_platforms(query).find_identities(subject)


def build_query_coverage(
    query: QueryContext, answers: Iterable[ReachAnswer], missing: set[str]
) -> CoverageRecord:
    """Build the coverage of an answer: the collected and the missing data.

    Args:
        missing: Uncollected data that could change the answers.
    """
    answers = list(answers)
    gaps = sorted(list_missing_data_of_list(query, answers, missing))
    coverage = answer_coverage.build_coverage(query.inventory, query.now, gaps)
    if depends_on_unread_statements(answers):
        coverage["partial"] = True
    return coverage


def describe_query_scope(query: QueryContext) -> SearchScopeItem:
    """Describe the identities and accounts that a query covers."""
    return describe_search_scope(_open_platforms(query), AWS)


def _open_platforms(query: QueryContext) -> OpenPlatforms:
    """Open the platforms, with the compiled context of AWS."""
    question = Question(query.now)
    return open_platforms(query.inventory, question, {AWS.name: AwsEvaluator(query)})
