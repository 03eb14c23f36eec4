"""Split tool results into (path, text) fields, for learning and enforcement alike."""

from collections.abc import Iterator

import msgspec

from answerable.baseline.json_leaves import iterate_leaves
from answerable.model.behaviour import JsonValue

MAX_FIELDS = 20_000  # of one result; what comes behind explains nothing


def parse_tool_result(result: JsonValue) -> JsonValue:
    """Return a tool result as JSON; a text that holds JSON is parsed."""
    if isinstance(result, str) and result[:1] in ("{", "["):
        try:
            inner: JsonValue = msgspec.json.decode(result)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return result
        return inner
    return result


def iterate_result_fields(result: JsonValue) -> Iterator[tuple[str, str]]:
    """Yield the fields of a result as pairs of path and text."""
    for number, (path, text) in enumerate(iterate_leaves(result)):
        if number == MAX_FIELDS:
            return
        if text:
            yield path, text


def mcp_result_content(result: dict[str, JsonValue]) -> JsonValue:
    """Return the content of an MCP tool result: structured content, or its texts.

    Several texts become a list.
    """
    structured = result.get("structuredContent")
    if structured is not None:
        return structured
    content = result.get("content")
    texts: list[JsonValue] = [
        parse_tool_result(each["text"])
        for each in (content if isinstance(content, list) else ())
        if isinstance(each, dict) and isinstance(each.get("text"), str)
    ]
    return texts[0] if len(texts) == 1 else texts
