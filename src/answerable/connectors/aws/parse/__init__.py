"""Parse account authorization details into identities, policies and problems."""

from dataclasses import dataclass

from answerable.connectors.aws.parse.account_facts import build_account_facts
from answerable.connectors.aws.parse.authorization_details import (
    LISTS,
    parse_authorization_details,
)
from answerable.connectors.formats.aws_api_responses import (
    AwsAnswer,
    is_credential_report,
    parse_aws_answers,
    wrong_kind_error,
)
from answerable.model.errors import UsageError
from answerable.model.sighting import ReadProblem, SightedFacts

EXPECTED_KIND = "account authorization details"
# Answers of AWS Organizations have a field `Policies` too.
_ORGANIZATION_FIELDS = ("Organization", "Roots", "Accounts", "TargetsForPolicy")


@dataclass(frozen=True, slots=True)
class ParsedAccountDetails:
    """Parsed account details.

    Attributes:
        facts: Readable facts.
        problems: Unreadable parts.
        last_used: True if roles have last-used times.
    """

    facts: SightedFacts
    problems: tuple[ReadProblem, ...]
    last_used: bool


def parse(data: bytes, *, source: str, place: str, now: int) -> ParsedAccountDetails:
    """Parse a file of get-account-authorization-details answers.

    Args:
        data: One answer, several, or pages; see `formats.aws_answers`.
        source: The sync's source.
        place: File or API call.
        now: UTC nanoseconds.

    Raises:
        UsageError: The file has other content; the hint names its source.
        ParseError: The bytes are not JSON.
    """
    if is_credential_report(data):
        raise UsageError(
            f"{place} is a credential report, not {EXPECTED_KIND}",
            "collect with: aws iam get-account-authorization-details --output json",
        )
    pages = parse_aws_answers(data, place)
    for page in pages:
        known = any(name in page.fields for name in LISTS)
        if not known or any(name in page.fields for name in _ORGANIZATION_FIELDS):
            raise wrong_kind_error(page.fields, place, EXPECTED_KIND)
    return parse_pages(pages, source=source, place=place, now=now)


def parse_pages(
    pages: tuple[AwsAnswer, ...], *, source: str, place: str, now: int
) -> ParsedAccountDetails:
    """Parse already decoded pages of get-account-authorization-details."""
    details = parse_authorization_details(pages, place)
    facts, problems = build_account_facts(details, source=source, now=now)
    used = any(at.record.role_last_used for at in details.roles)
    return ParsedAccountDetails(facts, problems, used)
