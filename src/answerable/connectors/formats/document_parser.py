"""Parse a configuration file in any known format: JSON, YAML, TOML, Markdown, ..."""

from dataclasses import dataclass
from enum import StrEnum

from answerable.connectors.formats.document_node import (
    DocumentNode,
    find_duplicate_keys,
)
from answerable.connectors.formats.front_matter import parse_front_matter
from answerable.connectors.formats.jsonc_parser import parse_jsonc
from answerable.connectors.formats.toml_parser import parse_toml
from answerable.connectors.formats.yaml_parser import parse_yaml
from answerable.model.errors import ParseError

SIZE_LIMIT = 8 << 20


class DocumentFormat(StrEnum):
    """Format with a tree of values."""

    JSON = "json"
    TOML = "toml"
    YAML = "yaml"
    FRONT_MATTER = "front-matter"


_PARSERS = {
    DocumentFormat.JSON: parse_jsonc,
    DocumentFormat.TOML: parse_toml,
    DocumentFormat.YAML: parse_yaml,
    DocumentFormat.FRONT_MATTER: parse_front_matter,
}


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """Parsed configuration file.

    Attributes:
        place: Path of the file.
        root: Root node.
        duplicate_keys: Pointers of repeated keys; the last value is used.
    """

    place: str
    root: DocumentNode
    duplicate_keys: tuple[str, ...]


def decode_text(data: bytes, place: str) -> str:
    """Decode UTF-8 with or without a byte order mark; newlines become LF.

    Raises:
        ParseError: Too large, or not UTF-8.
    """
    if len(data) > SIZE_LIMIT:
        raise ParseError(f"larger than {SIZE_LIMIT} bytes", place)
    text, offset = "", -1
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        offset = error.start
    if offset >= 0:
        raise ParseError("not UTF-8", place, offset)
    return text.replace("\r\n", "\n")


def parse_document(
    data: bytes, file_format: DocumentFormat, place: str
) -> ParsedDocument:
    """Parse a file of the given format into a root node.

    Args:
        data: Bytes of the file.
        file_format: Its format; JSON is read as JSONC.
        place: Path of the file, for messages.

    Raises:
        ParseError: Invalid content; the error names the place, never a value.
    """
    text = decode_text(data, place)
    try:
        raw = _PARSERS[file_format](text)
    except ParseError as error:
        reason, offset = error.reason, error.offset
    else:
        return ParsedDocument(place, DocumentNode("", raw), find_duplicate_keys(raw))
    raise ParseError(reason, place, offset)
