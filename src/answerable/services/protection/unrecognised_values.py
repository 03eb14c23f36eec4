"""Values of a server entry that may be secrets, although no name or format says so.

A value that only a generator writes (long, of mixed letters and digits, no UUID, digest,
path or version) is moved as a secret. Other values that a person would have to look at are
listed, without their text.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from answerable.connectors.formats.credential_locations import FoundCredential
from answerable.connectors.formats.document_node import DocumentNode
from answerable.connectors.formats.redaction import redact_url
from answerable.connectors.formats.secret_formats import compute_entropy, looks_random
from answerable.connectors.formats.url_secrets import is_url
from answerable.connectors.formats.value_reference import split_references
from answerable.model.credential import CredentialClass

_SHORTEST = 8  # characters of a listed value
_LONG_OPTION_VALUE = 16  # of the value of an option, in small letters alone
_GENERATED = re.compile(r"[A-Za-z0-9_+=~-]{20,512}")
_HEX = re.compile(r"(?:sha(?:256|512):)?[0-9a-f]{16,}|[0-9A-F]{16,}")
_FLAG = re.compile(r"--?[A-Za-z][\w.-]{0,63}")
# A package, image or module with a version: `awslabs.core-mcp-server@latest`.
_VERSIONED = re.compile(r"@?[\w./-]+(?:@|[=~<>]=|:)[\w.*^~+-]{1,32}")
_CONSTANT = re.compile(
    r"[A-Z]+(?:_[A-Z]+)*|[a-z]+(?:[-_.,:](?:[a-z]+|\d{1,4}[a-z]?))*|[\d.,:-]{1,15}"
)
_MINIMUM_ENTROPY = 3.6  # bits per character
_MINIMUM_DIGITS = 3


@dataclass(frozen=True, slots=True)
class UnrecognisedValue:
    """Value that may be a secret.

    Attributes:
        place: Its place in words, without the text.
        value: The text, kept out of the repr.
    """

    place: str
    value: str

    def __repr__(self) -> str:
        return f"UnrecognisedValue({self.place!r})"


def looks_generated_alone(value: str) -> bool:
    """Return whether a value looks generated without a name that says so."""
    if not _GENERATED.fullmatch(value) or _HEX.fullmatch(value):
        return False
    digits = sum(char.isdigit() for char in value)
    return (
        digits >= _MINIMUM_DIGITS
        and any(char.isupper() for char in value)
        and any(char.islower() for char in value)
        and looks_random(value)
        and compute_entropy(value) >= _MINIMUM_ENTROPY
    )


def find_generated_values(nodes: Iterable[DocumentNode]) -> Iterator[FoundCredential]:
    """Find words and variables that look generated, without a name that says so."""
    for node in nodes:
        text = node.text()
        name, equals, value = text.partition("=")
        value = value if equals and _FLAG.fullmatch(name) else text
        if looks_generated_alone(value):
            cls = CredentialClass.LITERAL
            yield FoundCredential("", node.pointer, cls, "api-key", value)


def list_unrecognised_values(
    words: Sequence[str], environment: DocumentNode | None, known: Collection[str]
) -> tuple[UnrecognisedValue, ...]:
    """List the values of a command and its environment that may be secrets.

    Args:
        words: Words of the command, the program first.
        environment: Its variables; None for none.
        known: Values that are recognised as secrets.
    """
    return tuple(
        each
        for each in (*_iter_words(words), *_iter_variables(environment))
        if not any(value and value in each.value for value in known)
    )


def _iter_words(words: Sequence[str]) -> Iterator[UnrecognisedValue]:
    """Yield the words of a command that may be secrets."""
    option = ""
    for at, word in enumerate(words):
        name, equals, value = word.partition("=")
        is_flag = bool(_FLAG.fullmatch(name))
        if at and is_flag and equals and _is_opaque(value, is_option_value=True):
            yield _describe_value(f"argument {at}, {name}=", value)
        elif at and not is_flag and _is_opaque(word, is_option_value=bool(option)):
            after = f" after {option}" if option else ""
            yield _describe_value(f"argument {at}{after},", word)
        option = word if is_flag and not equals else ""


def _iter_variables(environment: DocumentNode | None) -> Iterator[UnrecognisedValue]:
    """Yield the variables that may be secrets."""
    members = environment.members() if environment is not None else ()
    for name, node in members:
        if _is_opaque(node.text(), is_option_value=False):
            yield _describe_value(f"variable {name},", node.text())


def _describe_value(place: str, value: str) -> UnrecognisedValue:
    """Describe a value by its place and length."""
    return UnrecognisedValue(f"{place} {len(value)} characters", value)


def _is_opaque(value: str, *, is_option_value: bool) -> bool:
    """Return whether a value is one that a person would have to look at."""
    if len(value) < _SHORTEST or split_references(value).dynamic:
        return False
    if is_url(value):
        return redact_url(value) != value
    if _VERSIONED.fullmatch(value) or _is_path(value):
        return any(map(looks_random, re.split(r"[/\\@=:]", value)))
    if _CONSTANT.fullmatch(value):
        return is_option_value and len(value) >= _LONG_OPTION_VALUE and "." not in value
    return True


def _is_path(value: str) -> bool:
    """Return whether a value is a path, or the name of a file or package."""
    return (
        value[0] in "/~.@"
        or "/" in value
        or "\\" in value
        or bool(re.fullmatch(r"[\w-]+(?:\.[\w-]+)*\.[a-z]{1,5}", value))
    )
