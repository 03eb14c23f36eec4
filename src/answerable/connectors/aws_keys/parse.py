"""Parser of access-key answers. Pure: bytes in, facts and problems out."""

from collections.abc import Sequence

from answerable.connectors.formats.access_keys import access_keys
from answerable.connectors.formats.aws_api_answers import (
    Answer,
    answers,
    looks_like_credential_report,
)
from answerable.model.errors import ParseError, UsageError
from answerable.model.sighting import Facts, Problem, ProblemKind

REPORT = (
    "a credential report holds no access-key ids, so no key can be joined by it: "
    "collect with `aws iam list-access-keys --user-name NAME --output json`"
)


def parse(
    files: Sequence[tuple[str, bytes]], *, source: str, now: int
) -> tuple[Facts, tuple[Problem, ...]]:
    """Parse access-key answers.

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
    placed: list[tuple[str, Answer]] = []
    problems: list[Problem] = []
    for place, data in files:
        try:
            found = _answers(data, place)
            access_keys(found, source=source, now=now)
        except (ParseError, UsageError) as error:
            if len(files) == 1:
                raise
            problems.append(Problem(ProblemKind.INVALID, place, error.message))
            continue
        if not found:
            problems.append(Problem(ProblemKind.INVALID, place, REPORT))
        placed += found
    facts, more = access_keys(placed, source=source, now=now)
    return facts, (*problems, *more)


def _answers(data: bytes, place: str) -> list[tuple[str, Answer]]:
    """Parse the answers of one file; a credential report has none."""
    if looks_like_credential_report(data):
        return []
    found = answers(data, place)
    if any("GeneratedTime" in answer.fields for answer in found):
        return []
    return [(place, answer) for answer in found]
