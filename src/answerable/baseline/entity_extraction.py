"""Extract typed entities (e-mail address, ARN, path ...) from a call's arguments.

Arguments are hostile text, so the patterns run in RE2. The value of a sensitive
argument is one entity with all of its content: otherwise the rest of
`x@corp.example, and the other one` would be missed.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import re2

from answerable.baseline.json_leaves import (
    encode_utf8_with_surrogates,
    iterate_leaves,
    matches_path_pattern,
)
from answerable.model.behaviour import EntityKind, JsonValue, ToolFacts

MAX_ENTITIES = 64  # entities of one call
_MAX_INLINE = 128  # characters of a value that stands for itself
_DIGEST_FROM = 512  # from here on a digest stands for it
_MAX_AMOUNT = 1 << 52  # millionths; thousands of these have a sum in 64 bits
_MAX_SCANNED = 1 << 16  # characters of one argument that are looked through

# The first that fits where a match begins is taken; in the order of `_KINDS`.
_ENTITY = re2.compile(
    r"(arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9a-z]*:[^\s\"'<>,;]+)"
    r"|(s3://[A-Za-z0-9._-]+(?:/[^\s\"'<>]*)?)"
    r"|((?:[A-Za-z][A-Za-z0-9+.-]*://|www\.)[^\s\"'<>]+)"
    r"|([A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)"
    r"|(\b[A-Z]{2}[0-9]{2} ?(?:[A-Z0-9]{4} ?){2,7}[A-Z0-9]{0,4}\b)"
    r"|(\b(?:[a-z0-9-]+\.)+(?:com|org|net|io|app|dev|info|biz|edu|gov|xyz|cloud)\b)"
)
_KINDS = (
    EntityKind.ARN,
    EntityKind.S3,
    EntityKind.URL,
    EntityKind.EMAIL,
    EntityKind.IBAN,
    EntityKind.HOST,
)
_PATH = re2.compile(r"(?:~|\.{1,2}|[A-Za-z]:)?[/\\][^\s\x00-\x1f]*")
# Half of a surrogate pair has no bytes, so no document could hold it.
_SURROGATE = re.compile(r"[^\ud800-\udfff]*+[\ud800-\udfff].*", re.DOTALL)
_TRAILING = ".,;:!?)]}"


@dataclass(frozen=True, slots=True)
class ArgumentEntity:
    """An entity at its place in the arguments.

    Attributes:
        sensitive: The argument decides who receives something.
        whole: It is the whole argument.
    """

    path: str
    kind: EntityKind
    text: str
    sensitive: bool
    whole: bool


def canonicalise_entity(kind: EntityKind, text: str) -> str:
    """Return the canonical form of an entity; a digest replaces a very long one."""
    if kind in (EntityKind.EMAIL, EntityKind.HOST):
        text = text.lower()
    elif kind is EntityKind.IBAN:
        text = text.replace(" ", "").upper()
    elif kind is EntityKind.URL:
        scheme, mark, rest = text.partition("://")
        if not mark:
            scheme, rest = "", text
        host, slash, path = rest.partition("/")
        text = scheme.lower() + mark + host.lower() + slash + path
    if len(text) <= _DIGEST_FROM and not _SURROGATE.fullmatch(text):
        return text
    return "sha256:" + hashlib.sha256(encode_utf8_with_surrogates(text)).hexdigest()


def find_entities(text: str) -> list[tuple[EntityKind, str, int, int]]:
    """Find typed entities in a text; yield kind, text, start and end of each."""
    found = []
    # RE2 takes no half of a surrogate pair; what replaces it is as long.
    readable = text[:_MAX_SCANNED].encode("utf-8", "replace").decode()
    for match in _ENTITY.finditer(readable):
        said = match.group()
        kept = said.rstrip(_TRAILING).rstrip()
        start = match.start()
        kind = _KINDS[match.lastindex - 1]
        found.append((kind, kept, start, start + len(kept)))
    return found


def _is_path(text: str) -> bool:
    """Return whether a text is a file path."""
    return _PATH.fullmatch(text.encode("utf-8", "replace").decode()) is not None


def classify_entity_kind(text: str) -> EntityKind:
    """Return the entity kind of a whole value; a path or a name by default."""
    for kind, _, start, end in find_entities(text):
        if start == 0 and end == len(text):
            return kind
        break
    return EntityKind.PATH if _is_path(text) else EntityKind.NAME


def extract_entities(arguments: JsonValue, facts: ToolFacts) -> list[ArgumentEntity]:
    """Extract the entities of a call's arguments, each once, in order.

    Summed arguments are bounded instead. A result longer than `MAX_ENTITIES` says that the list
    was cut.
    """
    kinds = dict(facts.kinds)
    found: dict[ArgumentEntity, None] = {}
    for path, text in iterate_leaves(arguments):
        if not text or matches_path_pattern(facts.summed, path):
            continue
        sensitive = matches_path_pattern(facts.sensitive, path)
        for kind, said, whole in _list_value_entities(text, kinds.get(path), sensitive):
            found[
                ArgumentEntity(
                    path, kind, canonicalise_entity(kind, said), sensitive, whole
                )
            ] = None
        if len(found) > MAX_ENTITIES:
            break
    return list(found)[: MAX_ENTITIES + 1]


def _list_value_entities(
    text: str, declared: EntityKind | None, sensitive: bool
) -> Iterator[tuple[EntityKind, str, bool]]:
    """Yield (kind, text, is whole value) for the entities of one value."""
    if declared is not None:
        yield declared, text, True
        return
    inner = find_entities(text)
    if len(inner) == 1 and (inner[0][2], inner[0][3]) == (0, len(text)):
        yield inner[0][0], text, True
        return
    for kind, said, _, _ in inner:
        yield kind, said, False
    if sensitive or len(text) <= _MAX_INLINE:
        # A path with blanks in it is a name here, which is the narrower of the two.
        is_path = not inner and _is_path(text)
        yield (EntityKind.PATH if is_path else EntityKind.NAME), text, True


def extract_numeric_arguments(
    arguments: JsonValue, facts: ToolFacts
) -> tuple[tuple[str, int], ...]:
    """Extract numeric arguments to sum up, in millionths and without sign.

    Text that is no number counts as the maximum, because the server may parse it.
    """
    if not facts.summed:
        return ()
    sums: dict[str, int] = {}
    for path, text in iterate_leaves(arguments):
        if matches_path_pattern(facts.summed, path):
            sums[path] = sums.get(path, 0) + _parse_millionths(text)
    return tuple(sorted(sums.items()))


def _parse_millionths(text: str) -> int:
    """Parse a number into millionths without sign, capped at a maximum."""
    try:
        number = abs(float(text))
    except ValueError:
        return _MAX_AMOUNT
    return round(number * 1e6) if number < _MAX_AMOUNT / 1e6 else _MAX_AMOUNT
