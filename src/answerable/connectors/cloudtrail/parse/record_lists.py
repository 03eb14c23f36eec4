"""Find and decode record lists in log files and in lookup-events or Lake answers."""

import re

import msgspec

from answerable.connectors.cloudtrail.parse.record_types import RecordList

LOOKAHEAD_BYTES = 512
_WRAPPER = re.compile(rb'(\{\s*"(?:Records|Events|QueryResultRows)"\s*:\s*\[)[\s\S]*')
_RAW = msgspec.json.Decoder(msgspec.Raw)
_RECORD_LIST = msgspec.json.Decoder(RecordList)


def find_wrapped_list(head: bytes) -> int:
    """Return the offset after the opening bracket of a wrapped list, 0 for none."""
    wrapper = _WRAPPER.fullmatch(head)
    return wrapper.end(1) if wrapper else 0


def decode_wrapped_list(
    value: bytes, *, search_members: bool
) -> list[msgspec.Raw] | None:
    """Decode the records in a wrapper; None if the value is no wrapper.

    Args:
        value: Complete JSON value.
        search_members: True to search for the list behind other members, too.
    """
    named = search_members and (b'"Events"' in value or b'"Records"' in value)
    if not named and not find_wrapped_list(value[:LOOKAHEAD_BYTES]):
        return None
    try:
        wrapper = _RECORD_LIST.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return wrapper.events if wrapper.records is None else wrapper.records


def is_valid_json(value: bytes) -> bool:
    """Tell whether bytes are one complete JSON value."""
    try:
        _RAW.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
