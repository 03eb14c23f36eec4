"""Parse the session files of Claude Code into events of tool calls and their results.

Each line is a JSON object with `type`, `sessionId`, `uuid` and `timestamp`; the content
of a message is a list of blocks, of which `tool_use` (`id`, `name`) and `tool_result`
(`tool_use_id`, `is_error`) are read. Sources: Anthropic API reference, "Tool use"
(docs.anthropic.com/en/docs/agents-and-tools/tool-use/overview), and the session files of
simonw/claude-code-transcripts and daaain/claude-code-log.

A call and its result are separate events, so that each depends on one line
alone: the order and the parts in which a growing file is read change no event.
"""

import re
from collections.abc import Iterator

import msgspec

from answerable.connectors.claude_code.declaration import DECLARATION
from answerable.connectors.formats.log_entry import (
    LogEntry,
    build_event,
    describe_decoding_error,
)
from answerable.connectors.formats.log_format import (
    EventFactory,
    LogFormat,
    LogOptions,
    ParsedRecord,
    RecordRefused,
)
from answerable.model.event import EventOutcome

_NOUN = "not a line of a Claude Code session file"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_MESSAGES = ("assistant", "user")
_TYPES_WITHOUT_SESSION = ("summary", "file-history-snapshot")
_MAX_BLOCKS = 1024
_TOOL_USE, _TOOL_RESULT = "tool_use", "tool_result"


class _Block(msgspec.Struct):
    type: str | None = None
    id: str | None = None
    name: str | None = None
    tool_use_id: str | None = None
    is_error: bool | None = None


class _Message(msgspec.Struct):
    content: list[_Block | str] | str | None = None


class SessionLine(msgspec.Struct, rename="camel"):
    """Line of a session file, with only the fields that are read."""

    type: str | None = None
    session_id: str | None = None
    uuid: str | None = None
    timestamp: str | None = None
    is_sidechain: bool | None = None
    message: msgspec.Raw = msgspec.Raw()


_LINES = msgspec.json.Decoder(SessionLine)
_CONTENTS = msgspec.json.Decoder(_Message | str | None)


def _parse_line(
    raw: bytes, options: LogOptions, make: EventFactory
) -> ParsedRecord | list[ParsedRecord]:
    """Parse a line into the events of its tool calls and results, or refuse it."""
    try:
        line = _LINES.decode(raw)
        if not line.type or not (
            line.session_id or line.type in _TYPES_WITHOUT_SESSION
        ):
            return RecordRefused(f"{_NOUN}: it has no type or sessionId")
        blocks = _list_tool_blocks(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as refusal:
        return RecordRefused(describe_decoding_error(_NOUN, refusal))
    if len(blocks) > _MAX_BLOCKS:
        return RecordRefused(f"more than {_MAX_BLOCKS:,} tool calls in one line")
    parsed: list[ParsedRecord] = []
    refused: RecordRefused | None = None
    for entry in _read_blocks(line, blocks):
        event = (
            entry
            if isinstance(entry, RecordRefused)
            else build_event(DECLARATION, raw, entry, make)
        )
        if isinstance(event, RecordRefused):
            refused = refused or event
        else:
            parsed.append(event)
    return [*parsed, refused] if refused else parsed


def _list_tool_blocks(line: SessionLine) -> list[_Block]:
    """List the tool calls and results of a line.

    Raises:
        msgspec.DecodeError: The message has another form.
    """
    if line.type not in _MESSAGES or not bytes(line.message):
        return []
    message = _CONTENTS.decode(line.message)
    if not isinstance(message, _Message) or not isinstance(message.content, list):
        return []
    return [
        block
        for block in message.content
        if isinstance(block, _Block) and block.type in (_TOOL_USE, _TOOL_RESULT)
    ]


def _read_blocks(
    line: SessionLine, blocks: list[_Block]
) -> Iterator[LogEntry | RecordRefused]:
    """Yield the entry of each tool call and result, or its refusal."""
    session, uuid = _check_id(line.session_id), _check_id(line.uuid)
    for block in blocks:
        is_call = block.type == _TOOL_USE
        call = _check_id(block.id if is_call else block.tool_use_id)
        name = _check_id(block.name) if is_call else _TOOL_RESULT
        if not call or not name:
            yield RecordRefused("not a tool call: its name or id is missing or invalid")
            continue
        yield LogEntry(
            time=line.timestamp,
            action=f"claude-code:{name}",
            outcome=EventOutcome.UNKNOWN if is_call else _get_outcome(block),
            native_id=f"{session}/{call}/{block.type}",
            facts={
                "self:session": session,
                "self:sidechain": "true" if line.is_sidechain else "",
                "self:tool_use_id": call,
                "self:uuid": uuid,
            },
        )


def _check_id(value: str | None) -> str:
    """Return a name or id; empty for other text, which could be content."""
    return value if value and _NAME.fullmatch(value) else ""


def _get_outcome(result: _Block) -> EventOutcome:
    """Return the outcome of a result; a refusal by the user is an error, too."""
    return EventOutcome.ERROR if result.is_error else EventOutcome.SUCCESS


FORMAT = LogFormat(
    DECLARATION,
    __name__,
    "Claude Code session",
    _parse_line,
    suffixes=(".jsonl",),
    is_content=True,
)
