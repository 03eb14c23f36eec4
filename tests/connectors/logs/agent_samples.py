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


def _attributes(**values: object) -> list[dict[str, object]]:
    """Attributes in OTLP JSON; `__` stands for a dot."""
    kinds = {str: "stringValue", int: "intValue", bool: "boolValue"}
    return [
        {"key": key.replace("__", "."), "value": {kinds[type(value)]: value}}
        for key, value in values.items()
    ]


_RESOURCE = {"attributes": _attributes(service__name="agent", user__email=CANARY)}
_TRACE = "5B8EFFF798038103D269B633813FC60C"
SPANS = {
    "resourceSpans": [
        {
            "resource": _RESOURCE,
            "scopeSpans": [
                {
                    "scope": {"name": "mcp"},
                    "spans": [
                        {
                            "traceId": _TRACE,
                            "spanId": "EEE19B7EC3C1B174",
                            "parentSpanId": "EEE19B7EC3C1B173",
                            "name": f"tools/call {CANARY}",
                            "kind": 3,
                            "startTimeUnixNano": "1793700001000000000",
                            "endTimeUnixNano": "1793700002000000000",
                            "attributes": _attributes(
                                mcp__method__name="tools/call",
                                gen_ai__tool__name="read_file",
                                gen_ai__agent__name="Triage Agent",
                                mcp__resource__uri=f"file:///{CANARY}",
                                gen_ai__tool__call__arguments=CANARY,
                                secret=CANARY,
                            ),
                            "status": {"code": 2, "message": CANARY},
                        },
                        {
                            "traceId": _TRACE,
                            "spanId": "eee19b7ec3c1b175",
                            "name": "execute_tool",
                            "startTimeUnixNano": 1793700002000000000,
                            "attributes": _attributes(
                                gen_ai__operation__name="execute_tool",
                                gen_ai__tool__call__id="call_1",
                            ),
                        },
                        {
                            "traceId": _TRACE,
                            "spanId": "eee19b7ec3c1b176",
                            "name": "GET /",
                            "startTimeUnixNano": "1793700003000000000",
                            "attributes": _attributes(http__url=CANARY),
                        },
                    ],
                }
            ],
        }
    ]
}
EVENTS = {
    "resourceLogs": [
        {
            "resource": _RESOURCE,
            "scopeLogs": [
                {
                    "scope": {"name": "com.anthropic.claude_code.events"},
                    "logRecords": [
                        {
                            "timeUnixNano": "1793700004000000000",
                            "body": {"stringValue": "claude_code.tool_result"},
                            "attributes": _attributes(
                                event__name="tool_result",
                                event__sequence=7,
                                session__id="5e55-1",
                                tool_name="Bash",
                                tool_use_id="toolu_1",
                                success="true",
                                tool_parameters=f'{{"bash_command":"{CANARY}"}}',
                                error=CANARY,
                            ),
                        },
                        {
                            "observedTimeUnixNano": "1793700005000000000",
                            "body": {"stringValue": "claude_code.tool_decision"},
                            "attributes": _attributes(
                                event__name="tool_decision",
                                tool_name="Write",
                                decision="reject",
                            ),
                        },
                        {
                            "timeUnixNano": "1793700006000000000",
                            "body": {"stringValue": "claude_code.user_prompt"},
                            "attributes": _attributes(
                                event__name="user_prompt", prompt=CANARY
                            ),
                        },
                        {
                            "timeUnixNano": "1793700007000000000",
                            "body": {"stringValue": CANARY},
                        },
                    ],
                }
            ],
        }
    ]
}

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
    "otel": AgentLog(
        [SPANS, EVENTS],
        [
            ("otel:tools/call", "error"),
            ("otel:execute_tool", "unknown"),
            ("otel:claude_code.tool_result", "success"),
            ("otel:claude_code.tool_decision", "denied"),
            ("otel:claude_code.user_prompt", "unknown"),
        ],
        {
            "self:gen_ai.agent.name": "Triage Agent",
            "self:gen_ai.tool.name": "read_file",
            "self:mcp.method.name": "tools/call",
            "self:parent_span_id": "eee19b7ec3c1b173",
            "self:span_id": "eee19b7ec3c1b174",
            "self:trace_id": "5b8efff798038103d269b633813fc60c",
        },
    ),
}
