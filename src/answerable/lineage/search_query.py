"""Search query language: `agent:*bot resource:"s3://a b" status:missing` and words.

`FIELD:VALUE` asks for one hop, with the option names of `trace`; anything else is a
word that any hop may hold. Formatted queries parse to the same query.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches

from answerable.model.errors import UsageError
from answerable.model.event import Outcome
from answerable.model.lineage import HopStatus

# In the order of a formatted query.
FIELDS = (
    *("person", "agent", "tool", "identity", "credential", "action", "resource"),
    *("source", "outcome", "run", "status", "since", "until"),
)
CHOICES = {
    "outcome": tuple(each.value for each in Outcome),
    "status": tuple(each.value for each in HopStatus),
}
HOPS = ("person", "agent", "tool", "identity")
_LONGEST = 2_000
_MOST_WORDS = 8
_NEAR = 0.7
_FIELD = re.compile(r"([A-Za-z_-]+):(.*)", re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Query:
    """Parsed search query; empty matches everything.

    Attributes:
        said: Pairs (field, value) in the order of `FIELDS`, each field once.
        words: Texts of which each has to be in some hop.
    """

    said: tuple[tuple[str, str], ...] = ()
    words: tuple[str, ...] = ()

    def get(self, field: str) -> str:
        """Return the value of a field, empty if it is not in the query."""
        return dict(self.said).get(field, "")

    def asking(self, field: str, value: str) -> "Query":
        """Return the query with a field set; an empty value removes it."""
        said = {**dict(self.said), field: value}
        return replace(self, said=_ordered(said))

    @property
    def text(self) -> str:
        """Format the query so that it parses to the same query."""
        parts = [f"{field}:{spelled(value)}" for field, value in self.said]
        return " ".join([*parts, *map(_word, self.words)])


def parse(text: str) -> Query:
    """Parse a search query.

    Raises:
        UsageError: A field is close to a known one, repeated or empty; a quote is open;
            or the query is too long.
    """
    if len(text) > _LONGEST:
        raise UsageError(
            f"the question is too long (got {len(text):,} characters, expected at most "
            f"{_LONGEST:,})",
            "ask for a part of a value: agent:*bot",
        )
    said: dict[str, str] = {}
    words: list[str] = []
    for token in _tokens(text):
        field, value = _split(token)
        if not field:
            words.append(value)
        elif field in said:
            raise UsageError(
                f"{field}: given twice (got {value[:80]!r} too, expected one)",
                "a pattern of * and ? asks for several",
            )
        else:
            said[field] = _checked(field, value)
    words = list(dict.fromkeys(word for word in words if word))
    if len(words) > _MOST_WORDS:
        raise UsageError(
            f"too many words (got {len(words)}, expected at most {_MOST_WORDS})",
            "name the hop that each is for: action:*Delete* resource:*warehouse*",
        )
    return Query(_ordered(said), tuple(words))


def _tokens(text: str) -> Iterator[str]:
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
            f"a quote has no end (got {token[:80]!r})",
            'close it, or write a quote inside quotes as \\": "say \\"hi\\""',
        )
    if token:
        yield token


def _split(token: str) -> tuple[str, str]:
    """Split a token into field and value; a word has no field."""
    found = _FIELD.fullmatch(token)
    if found is None:
        return "", _bare(token)
    field = found[1].lower()
    if field in FIELDS:
        return field, _bare(found[2])
    close = get_close_matches(field, FIELDS, n=1, cutoff=_NEAR)
    if close:
        raise UsageError(
            f"unknown field (got {found[1]}:, did you mean {close[0]}:?)",
            f'fields are {", ".join(FIELDS)}; to look for the text, quote it: "{token}"',
        )
    return "", _bare(token)  # for example `s3:GetObject`


def _bare(text: str) -> str:
    """Take the quotes off."""
    return _QUOTED.sub(lambda found: _ESCAPED.sub(r"\1", found[1]), text)


def _checked(field: str, value: str) -> str:
    if not value.strip():
        raise UsageError(
            f"{field}: asks for nothing",
            f"write what for: {field}:VALUE, or leave it out",
        )
    if field == "status":
        return _status(value)
    choices = CHOICES.get(field)
    if choices is None:
        return value
    if value.lower() not in choices:
        raise _no_choice(field, value, choices)
    return value.lower()


def _status(value: str) -> str:
    hop, equals, status = value.lower().rpartition("=")
    if status not in CHOICES["status"] or (equals and hop not in HOPS):
        listed = (*CHOICES["status"], *(f"{each}=missing" for each in HOPS))
        raise _no_choice("status", value, listed)
    return value.lower()


def _no_choice(field: str, value: str, choices: tuple[str, ...]) -> UsageError:
    close = get_close_matches(value.lower(), choices, n=1, cutoff=0.5)
    return UsageError(
        f"{field}: is one of {', '.join(choices)} (got {value[:80]!r})",
        f"did you mean {field}:{close[0]}?" if close else "",
    )


def _ordered(said: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((field, said[field]) for field in FIELDS if said.get(field))


def spelled(value: str) -> str:
    """Format a value, quoted if needed."""
    plain = not any(letter.isspace() or letter == '"' for letter in value)
    return value if value and plain else _in_quotes(value)


def _word(word: str) -> str:
    return _in_quotes(word) if _FIELD.fullmatch(word) else spelled(word)


def _in_quotes(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
