"""Parse Markdown front matter, the YAML between two `---` lines."""

from answerable.connectors.formats.document_node import RawValue
from answerable.connectors.formats.yaml_parser import parse_yaml
from answerable.model.errors import ParseError


def parse_front_matter(text: str) -> RawValue:
    """Parse the front matter; an empty object for none.

    Claude Code accepts `description: Use it: now`, which is invalid YAML: if the whole
    does not parse, each `key: value` line is parsed separately.

    Raises:
        ParseError: The front matter is not closed, or invalid in both ways.
    """
    lines = text.split("\n")
    if not lines or lines[0].rstrip() != "---":
        return {}
    for index, line in enumerate(lines[1:], 1):
        if line.rstrip() in ("---", "..."):
            return _parse_lines(lines[1:index])
    raise ParseError("not front matter: the closing '---' is missing")


def _parse_lines(lines: list[str]) -> RawValue:
    """Parse the lines as YAML, else as flat `name: value` lines."""
    try:
        raw = parse_yaml("\n".join(lines))
    except ParseError:
        raw = None
        if not all(_is_flat(line) for line in lines):
            raise
        raw = {
            name.strip(): value.strip()
            for name, colon, value in (line.partition(":") for line in lines)
            if colon
        }
    return raw if isinstance(raw, dict) else {}


def _is_flat(line: str) -> bool:
    """Return whether a line is blank, or `name: value` without indentation."""
    return not line.strip() or (":" in line and not line[0].isspace())
