"""Write JSON while its lists are built, so that no long list is in memory."""

import json
from collections.abc import Iterator, Mapping


def iterate_json_text(value: object, depth: int = 0) -> Iterator[str]:
    """Yield the text of a value, as `json.dumps` with an indentation of 1 writes it.

    Args:
        value: JSON value; members of objects may be iterators, which become lists.
        depth: Depth of the value in the document.
    """
    line = "\n" + " " * (depth + 1)
    if isinstance(value, Mapping):
        before = "{"
        for key, each in value.items():
            yield f"{before}{line}{json.dumps(key)}: "
            yield from iterate_json_text(each, depth + 1)
            before = ","
        yield "{}" if before == "{" else f"{line[:-1]}}}"
    elif isinstance(value, Iterator):
        before = "["
        for each in value:
            yield f"{before}{line}{_format_member(each, depth + 1)}"
            before = ","
        yield "[]" if before == "[" else f"{line[:-1]}]"
    else:
        yield _format_member(value, depth)


def _format_member(value: object, depth: int) -> str:
    """Format a value at a depth; texts have no line breaks."""
    return json.dumps(value, indent=1).replace("\n", "\n" + " " * depth)
