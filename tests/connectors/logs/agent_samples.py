"""Synthetic telemetry of agents, with a canary in every content, and its events."""

from dataclasses import dataclass
from typing import Any

CANARY = "CANARY-9f2c"


@dataclass(frozen=True)
class AgentLog:
    """Records of one log, the calls they give, and the facts of the first."""

    records: list[dict[str, Any]]
    calls: list[tuple[str, str]]
    facts: dict[str, str]


_LINE: dict[str, Any] = {
    "parentUuid": None,
    "isSidechain": True,
    "cwd": f"/home/ana/{CANARY}",
    "sessionId": "5e55-1",
    "version": "2.1.0",
    "gitBranch": CANARY,
    "requestId": "req_1",
}
CLAUDE_CODE = [
    {
        **_LINE,
        "type": "assistant",
        "uuid": "u-1",
        "timestamp": "2026-11-03T10:00:00.000Z",
        "message": {
            "role": "assistant",
            "content": [
                {"type": "text", "text": CANARY},
                {
                    "type": "tool_use",
                    "id": "toolu_1",
                    "name": "Bash",
                    "input": {"command": f"psql -W {CANARY}"},
                },
                {
                    "type": "tool_use",
                    "id": "toolu_2",
                    "name": "mcp__files__read_file",
                    "input": {"path": CANARY},
                },
            ],
        },
    },
    {
        **_LINE,
        "type": "user",
        "uuid": "u-2",
        "timestamp": "2026-11-03T10:00:01.000Z",
        "toolUseResult": {"stdout": CANARY},
        "message": {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": CANARY}
            ],
        },
    },
    {
        **_LINE,
        "type": "user",
        "uuid": "u-3",
        "timestamp": "2026-11-03T10:00:02.000Z",
        "message": {"role": "user", "content": f"the password is {CANARY}"},
    },
]

LOGS = {
    "claude-code": AgentLog(
        CLAUDE_CODE,
        [
            ("claude-code:Bash", "unknown"),
            ("claude-code:mcp__files__read_file", "unknown"),
            ("claude-code:tool_result", "success"),
        ],
        {
            "self:session": "5e55-1",
            "self:sidechain": "true",
            "self:tool_use_id": "toolu_1",
            "self:uuid": "u-1",
        },
    ),
}
