"""Parser of account authorization details. Pure: bytes in, facts and problems out."""

from dataclasses import dataclass

from answerable.connectors.aws.parse.account_facts import account_facts
from answerable.connectors.aws.parse.authorization_details import LISTS, read_details
from answerable.connectors.formats.aws_api_answers import (
    Answer,
    answers,
    looks_like_credential_report,
    wrong_kind,
)
from answerable.model.errors import UsageError
from answerable.model.sighting import Facts, Problem

EXPECTED = "account authorization details"
# Answers of AWS Organizations have a field `Policies` too.
_OF_AN_ORGANIZATION = ("Organization", "Roots", "Accounts", "TargetsForPolicy")


@dataclass(frozen=True, slots=True)
class Parsed:
    """Parsed account details.

    Attributes:
        facts: Readable facts.
        problems: Unreadable parts.
        last_used: True if roles have last-used times.
    """

    facts: Facts
    problems: tuple[Problem, ...]
    last_used: bool


def parse(data: bytes, *, source: str, place: str, now: int) -> Parsed:
    """Parse answers of get-account-authorization-details.

    Args:
        data: One answer, several, or pages; see `formats.aws_answers`.
        source: The sync's source.
        place: File or API call.
        now: UTC nanoseconds.

    Raises:
        UsageError: The file has other content; the hint names its source.
        ParseError: The bytes are not JSON.
    """
    if looks_like_credential_report(data):
        raise UsageError(
            f"{place} is a credential report, not {EXPECTED}",
            "collect with: aws iam get-account-authorization-details --output json",
        )
    pages = answers(data, place)
    for page in pages:
        known = any(name in page.fields for name in LISTS)
        if not known or any(name in page.fields for name in _OF_AN_ORGANIZATION):
            raise wrong_kind(page.fields, place, EXPECTED)
    return parse_pages(pages, source=source, place=place, now=now)


def parse_pages(
    pages: tuple[Answer, ...], *, source: str, place: str, now: int
) -> Parsed:
    """Parse pages of a known kind."""
    details = read_details(pages, place)
    facts, problems = account_facts(details, source=source, now=now)
    used = any(at.record.role_last_used for at in details.roles.values())
    return Parsed(facts, problems, used)
