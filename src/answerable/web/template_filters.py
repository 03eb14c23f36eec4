"""Jinja filters of the templates: format times, counts, ids and links."""

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlencode

from answerable.model.documents.columns import DocumentColumn
from answerable.model.documents.shared_shapes import CoverageRecord
from answerable.model.ids import IdentityId
from answerable.model.time_units import SECOND_NS
from answerable.presentation import cell_text, coverage_text, relative_time, text
from answerable.presentation.decision_reasons import REASONS
from answerable.reach.aws.paths.identity_edges import is_not_yet_created

_PAGES = (
    ("agent:", "/agent"),
    ("person:", "/person"),
    ("cred:", "/credential"),
    ("finding:", "/finding"),
)
_PATTERN = frozenset("*? ")
# Prefixes of ids that the column heading already shows.
_KINDS = ("agent:", "person:", "tool:mcp/")


_OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]*)")
# Commands that list what a page of the same name lists, without options.
_LIST_COMMAND = re.compile(
    r"answerable (agents|people|identities|credentials|tools|findings)\b(?! -)"
)
# Fields of pages that have another name than the option of the command.
_FIELD_OF_OPTION = {
    "compare": "the earlier time",
    "first-seen": "the comparison",
    "on": "identity",
    "since": "since:",
    "until": "until:",
    "with": "a policy",
    "without": "a statement",
    "without-policy": "a policy to remove",
}


class ShortenedId(NamedTuple):
    """A text in parts; joined they are the whole text.

    Attributes:
        kind: Kind prefix, hidden if the column shows it.
    """

    kind: str
    front: str
    head: str
    cut: str
    tail: str


def shorten_middle(value: str, max_chars: int) -> ShortenedId:
    """Split an id into parts so that CSS can hide its middle."""
    whole = text.sanitize(value)
    kind = next((each for each in _KINDS if whole.startswith(each)), "")
    return ShortenedId(
        kind, *text.split_for_shortening(whole.removeprefix(kind), max_chars)
    )


def page_words(message: str) -> str:
    """Return a message of a use case with fields of the page instead of options.

    A message with another command than a list stays: it is run elsewhere.
    """
    listed = _LIST_COMMAND.sub(r"the page \1", message)
    if "answerable " in listed:
        return message
    if listed != message:
        return listed.replace("`", "")
    if message.startswith("for example") and len(_OPTION.findall(message)) == 1:
        return _OPTION.sub("", message).replace("  ", " ")  # the value alone
    return (
        _OPTION.sub(
            lambda found: _FIELD_OF_OPTION.get(found[1], found[1].replace("-", " ")),
            message,
        )
        .replace("since: ", "since:")
        .replace("until: ", "until:")
    )


def build_url(path: str, **query: object) -> str:
    """Build a local URL; empty and None parameters are left out."""
    present = {name: each for name, each in query.items() if each not in ("", None)}
    return f"{path}?{urlencode(present)}" if present else path


def entity_page(key: str) -> str:
    """Return the URL of the page of an agent, person, credential, tool or identity.

    Empty for an identity that does not exist yet and that a principal could create.
    """
    if is_not_yet_created(IdentityId(key)):
        return ""
    if key.startswith("tool:"):
        return build_url("/show", id=key)
    page = next((page for kind, page in _PAGES if key.startswith(kind)), "/identity")
    return build_url(page, id=key)


def permission_page(subject: str, action: str, resource: str) -> str:
    """Return the URL of the proof of a call; of the matching rows for a pattern.

    A pattern such as `kms:*` or `* except kms:*` is not one call, so it has no single
    proof.
    """
    if _PATTERN & set(action):
        action, resource = (strip_exception(each) for each in (action, resource))
        return build_url("/reach", subject=subject, action=action, resource=resource)
    # `A except B` is a description, not a resource to query.
    resource = "*" if " " in resource else resource
    return build_url("/can", subject=subject, action=action, resource=resource)


def strip_exception(pattern: str) -> str:
    """Return the pattern before `except`; every row of the exception matches it."""
    return pattern.partition(" except ")[0]


def format_time(value: object) -> str:
    """Format RFC 3339 text or UTC nanoseconds as RFC 3339."""
    if not isinstance(value, int) or isinstance(value, bool):
        return str(value or "")
    moment = datetime.fromtimestamp(value // SECOND_NS, tz=UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def format_age(value: object) -> str:
    """Format a time relative to now, such as `3 h ago`."""
    return relative_time.format_ago(format_time(value), time.time_ns())


def coverage_parts(value: CoverageRecord) -> list[str]:
    """Describe the sources of an answer and their age."""
    return coverage_text.build_coverage_line_parts(value)


def coverage_gaps(value: CoverageRecord) -> str:
    """Name the sources that were not collected and could change an answer."""
    return coverage_text.describe_missing_data(value)


def format_count(value: int | None) -> str:
    """Format a count with thousands separators; None is unknown."""
    return "not known" if value is None else f"{value:,}"


def format_known_count(value: int | None, complete: bool, narrowed: bool) -> str:
    """Format a count of what is known; say so where a missing source could change it.

    Args:
        narrowed: It counts rows by a property that missing data could change.
    """
    if value is None or complete:
        return format_count(value)
    return f"{value:,} so far" if narrowed else f"at least {value:,}"


def strip_kind(value: str) -> str:
    """Remove the prefix `agent:`, `person:` or `tool:mcp/` of an id."""
    kind = next((each for each in _KINDS if value.startswith(each)), "")
    return value.removeprefix(kind)


def escape_invisible(value: object) -> object:
    """Replace bidirectional and zero-width characters by escapes.

    Bidirectional marks and zero-width characters become escapes; the template escapes
    HTML afterwards.
    """
    if type(value) is not str or (value.isascii() and value.isprintable()):
        return value
    return "\n".join(text.sanitize(line) for line in value.split("\n"))


def describe_reason(reason: str) -> str:
    """Return the text of a reason code; an unknown code stays."""
    return REASONS.get(reason, reason)


def format_column(column: DocumentColumn, item: Mapping[str, object]) -> str:
    """Format the value of a document column as text."""
    return cell_text.format_cell(column, item, cell_text.CellContext(time.time_ns()))


TEMPLATE_FILTERS = {
    "page_words": page_words,
    "cell_text": format_column,
    "middle": shorten_middle,
    "page_of": entity_page,
    "at": format_time,
    "ago": format_age,
    "covered": coverage_parts,
    "gaps": coverage_gaps,
    "number": format_count,
    "known": format_known_count,
    "bare": strip_kind,
    "why": describe_reason,
    "pattern": strip_exception,
}
