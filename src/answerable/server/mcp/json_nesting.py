"""Check the nesting depth of JSON, in linear time.

RE2 reads each byte once for any text; a caller may send four million brackets.
"""

from functools import cache
from typing import Protocol, cast

import msgspec
import re2

_PLAIN = r'[^"\[\]{}]|"(?:[^"\\]|\\.)*"'
_MEMORY = 64 << 20  # bytes, of its automaton
_value = msgspec.json.Decoder(msgspec.Raw)


class _NestingMatcher(Protocol):
    def fullmatch(self, text: bytes) -> object: ...


def exceeds_depth(data: bytes, depth: int) -> bool:
    """Return whether JSON is nested more deeply than a limit; False for invalid JSON."""
    # Brackets in strings count here, so a few of them say nothing yet.
    if len(data) <= depth or data.count(b"[") + data.count(b"{") <= depth:
        return False
    if _compile_depth_limit(depth).fullmatch(data) is not None:
        return False
    try:
        _value.decode(data)
    except RecursionError:
        return True
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


@cache
def _compile_depth_limit(depth: int) -> _NestingMatcher:
    """Compile a regular expression for JSON that is nested no deeper than a limit."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.dot_nl = options.never_capture = True
    options.max_mem = _MEMORY
    options.log_errors = False
    level = f"(?:{_PLAIN})*"
    for _ in range(depth):
        level = rf"(?:{_PLAIN}|[\[{{]{level}[\]}}])*"
    return cast(_NestingMatcher, re2.compile(level.encode(), options))
