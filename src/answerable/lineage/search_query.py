"""Parse the search language: `agent:*bot resource:"s3://a b" status:missing`, words.

`FIELD:VALUE` asks for one hop, with the option names of `trace`; anything else is a
word that any hop may hold. Formatted queries parse to the same query.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches

from answerable.model.errors import UsageError
from answerable.model.event import EventOutcome
from answerable.model.lineage import HopStatus

# In the order of a formatted query.
FIELDS = (
    "person",
    "agent",
    "tool",
    "identity",
    "credential",
    "action",
    "resource",
    "source",
    "outcome",
    "run",
    "status",
    "since",
    "until",
)
CHOICES = {
    "outcome": tuple(each.value for each in EventOutcome),
    "status": tuple(each.value for each in HopStatus),
}
HOPS = ("person", "agent", "tool", "identity")
_MAX_LENGTH = 2_000
_MOST_WORDS = 8
_SIMILARITY = 0.7
_FIELD = re.compile(r"([A-Za-z_-]+):(.*)", re.DOTALL)
# A value that no action, URL, ARN or path has; `iam:PassRole` and `s3://a` are words.
_PLAIN_VALUE = re.compile(r"[a-z0-9@._-]*")
# Words before the first colon of ids in logs and inventories.
_ID_PREFIXES = frozenset(
    [
        "arn",
        "aws",
        "azure",
        "cred",
        "decision",
        "entra",
        "event",
        "gcp",
        "github",
        "gitlab",
        "group",
        "key",
        "mcp",
        "oidc",
        "okta",
        "pg",
        "postgres",
        "repo",
        "serviceaccount",
        "sha",
        "spiffe",
        "system",
        "urn",
        "user",
        "vault",
    ]
)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """Parsed search query; empty matches everything.

    Attributes:
        said: Pairs (field, value) in the order of `FIELDS`, each field once.
        words: Texts of which each has to be in some hop.
    """

    said: tuple[tuple[str, str], ...] = ()
    words: tuple[str, ...] = ()

    def get_field_value(self, field: str) -> str:
        """Return the value of a field, empty if the query does not have it."""
        return dict(self.said).get(field, "")

    def with_field(self, field: str, value: str) -> "SearchQuery":
        """Return the query with a field set; an empty value removes it."""
        said = {**dict(self.said), field: value}
        return replace(self, said=_sort_query_fields(said))

    @property
    def format_as_text(self) -> str:
        """Format the query so that it parses to the same query."""
        parts = [f"{field}:{format_query_value(value)}" for field, value in self.said]
        return " ".join([*parts, *map(_format_search_word, self.words)])


def parse_search_query(text: str) -> SearchQuery:
    """Parse a search query; unknown fields and values are errors.

    Raises:
        UsageError: A field is unknown, repeated or empty; a quote is open; or the query
            is too long.
    """
    if len(text) > _MAX_LENGTH:
        raise UsageError(
            f"the query is too long (got {len(text):,} characters, expected at "
            f"most {_MAX_LENGTH:,})",
            "search for a part of a value: agent:*bot",
        )
    said: dict[str, str] = {}
    words: list[str] = []
    for token in _split_query_tokens(text):
        field, value = _split_field_and_value(token)
        if not field:
            words.append(value)
        elif field in said:
            raise UsageError(
                f"{field}: given twice (got {value[:80]!r} too, expected one)",
                "use a pattern with * or ? to match several values",
            )
        else:
            said[field] = _check_field_value(field, value)
    words = list(dict.fromkeys(word for word in words if word))
    if len(words) > _MOST_WORDS:
        raise UsageError(
            f"too many words (got {len(words)}, expected at most {_MOST_WORDS})",
            "put the field before each word: action:*Delete* resource:*warehouse*",
        )
    return SearchQuery(_sort_query_fields(said), tuple(words))


def _split_query_tokens(text: str) -> Iterator[str]:
    """Split at spaces outside quotes."""
    token, quoted, escaped = "", False, False
    for letter in text:
        if letter.isspace() and not quoted:
            if token:
                yield token
            token = ""
            continue
        token += letter
        if letter == '"' and not escaped:
            quoted = not quoted
        escaped = quoted and letter == "\\" and not escaped
    if quoted:
        raise UsageError(
            f"a closing quote is missing (got {token[:80]!r})",
            'add the closing quote, or write a quote inside quotes as \\": "say '
            '\\"hi\\""',
        )
    if token:
        yield token


def _split_field_and_value(token: str) -> tuple[str, str]:
    """Split a token into field and value; a word has no field."""
    found = _FIELD.fullmatch(token)
    if found is None:
        return "", _remove_quotes(token)
    field = found[1].lower()
    if field in FIELDS:
        return field, _remove_quotes(found[2])
    close = get_close_matches(field, FIELDS, n=1, cutoff=_SIMILARITY)
    if not close and (field in _ID_PREFIXES or not _PLAIN_VALUE.fullmatch(found[2])):
        return "", _remove_quotes(token)  # for example `iam:PassRole`
    near = f", did you mean {close[0]}:?" if close else ""
    raise UsageError(
        f"unknown field (got {found[1]}:{near})",
        f'fields are {", ".join(FIELDS)}; to search for this text, quote it: "{token}"',
    )


def _remove_quotes(text: str) -> str:
    """Remove the quotes of a value."""
    return _QUOTED.sub(lambda found: _ESCAPED.sub(r"\1", found[1]), text)


def _check_field_value(field: str, value: str) -> str:
    """Check a field's value; return it in lower case if it is a keyword."""
    if not value.strip():
        raise UsageError(
            f"{field}: has no value",
            f"write {field}:VALUE, or omit the field",
        )
    if field == "status":
        return _check_status_filter(value)
    choices = CHOICES.get(field)
    if choices is None:
        return value
    if value.lower() not in choices:
        raise _build_invalid_choice_error(field, value, choices)
    return value.lower()


def _check_status_filter(value: str) -> str:
    """Check a status filter: `STATUS` or `HOP=STATUS`."""
    hop, equals, status = value.lower().rpartition("=")
    if status not in CHOICES["status"] or (equals and hop not in HOPS):
        listed = (*CHOICES["status"], *(f"{each}=missing" for each in HOPS))
        raise _build_invalid_choice_error("status", value, listed)
    return value.lower()


def _build_invalid_choice_error(
    field: str, value: str, choices: tuple[str, ...]
) -> UsageError:
    """Build the error for a value that is not one of the choices."""
    close = get_close_matches(value.lower(), choices, n=1, cutoff=0.5)
    return UsageError(
        f"invalid value for {field}: (got {value[:80]!r}, expected one of "
        f"{', '.join(choices)})",
        f"did you mean {field}:{close[0]}?" if close else "",
    )


def _sort_query_fields(fields: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the fields in the order of the search language."""
    return tuple((field, fields[field]) for field in FIELDS if fields.get(field))


def format_query_value(value: str) -> str:
    """Format a value, quoted if needed."""
    plain = not any(letter.isspace() or letter == '"' for letter in value)
    return value if value and plain else _quote_query_value(value)


def _format_search_word(word: str) -> str:
    """Format a search word; quoted where it would read as a field."""
    return (
        _quote_query_value(word) if _FIELD.fullmatch(word) else format_query_value(word)
    )


def _quote_query_value(value: str) -> str:
    """Put a value in double quotes, with backslash escapes."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
