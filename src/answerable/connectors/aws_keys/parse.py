"""Parse output of list-access-keys into credentials, user links and problems."""

from collections.abc import Sequence

from answerable.connectors.formats.access_key_lists import parse_access_keys
from answerable.connectors.formats.aws_api_responses import (
    AwsAnswer,
    is_credential_report,
    parse_aws_answers,
)
from answerable.model.errors import ParseError, UsageError
from answerable.model.sighting import ReadProblem, ReadProblemKind, SightedFacts

CREDENTIAL_REPORT_PROBLEM = (
    "a credential report contains no access-key ids, so it cannot be matched to "
    "keys: collect with `aws iam list-access-keys --user-name NAME --output json`"
)


def parse(
    files: Sequence[tuple[str, bytes]], *, source: str, now: int
) -> tuple[SightedFacts, tuple[ReadProblem, ...]]:
    """Parse the access-key answers of several files.

    An error in a single file is raised; with several files it becomes a problem and the
    rest is kept. A credential report gives only a problem.

    Args:
        files: Pairs (path, contents).
        source: The sync's source.
        now: UTC nanoseconds.

    Raises:
        UsageError: The only file has other content.
        ParseError: The only file is not JSON.
    """
    placed: list[tuple[str, AwsAnswer]] = []
    problems: list[ReadProblem] = []
    for place, data in files:
        try:
            found = _parse_file(data, place)
            parse_access_keys(found, source=source, now=now)
        except (ParseError, UsageError) as error:
            if len(files) == 1:
                raise
            problems.append(ReadProblem(ReadProblemKind.INVALID, place, error.message))
            continue
        if not found:
            problems.append(
                ReadProblem(ReadProblemKind.INVALID, place, CREDENTIAL_REPORT_PROBLEM)
            )
        placed += found
    facts, more = parse_access_keys(placed, source=source, now=now)
    return facts, (*problems, *more)


def _parse_file(data: bytes, place: str) -> list[tuple[str, AwsAnswer]]:
    """Parse the answers of one file; a credential report has none."""
    if is_credential_report(data):
        return []
    found = parse_aws_answers(data, place)
    if any("GeneratedTime" in answer.fields for answer in found):
        return []
    return [(place, answer) for answer in found]
