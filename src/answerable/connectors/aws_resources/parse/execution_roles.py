"""Find the IAM role that a resource's code runs as (Lambda, ECS, SageMaker, ...)."""

from collections.abc import Iterator

import msgspec

from answerable.connectors.formats.aws_api_responses import DECODE_ERRORS, AnswerFields
from answerable.model.errors import IdError
from answerable.model.ids import Arn

# As the APIs of CodeBuild, Step Functions, SageMaker, AgentCore, Bedrock agents, App
# Runner, CloudFormation and Glue spell it, the likeliest first.
_ROLE_FIELDS = (
    "roleArn",
    "RoleArn",
    "RoleARN",
    "serviceRole",
    "agentResourceRoleArn",
    "InstanceRoleArn",
    "executionRoleArn",
    "ExecutionRoleArn",
    "Role",
)
_MAX_DEPTH = 3


def parse_role_arn(text: str) -> str:
    """Return a text that is a role ARN unchanged, anything else as empty."""
    try:
        arn = Arn.parse(text)
    except IdError:
        return ""
    role = arn.service == "iam" and arn.resource.startswith("role/")
    return text if role and text.isprintable() else ""


def find_execution_role(raw: msgspec.Raw) -> str:
    """Find the role in the answer of a describe or get command; empty for none.

    The answer may be nested (`{"projects": [...]}`); the outermost role counts. Values
    of other fields are not decoded.
    """
    level = list(_iter_single_object(raw))
    for _ in range(_MAX_DEPTH):
        for fields in level:
            for name in _ROLE_FIELDS:
                found = (
                    parse_role_arn(_read_text(fields[name])) if name in fields else ""
                )
                if found:
                    return found
        level = [
            inner
            for fields in level
            for raw in fields.values()
            for inner in _iter_single_object(raw)
        ]
    return ""


def _iter_single_object(raw: msgspec.Raw) -> Iterator[AnswerFields]:
    """Yield the object, or the one object of a list; nothing for several."""
    try:
        given = msgspec.json.decode(raw, type=AnswerFields | list[AnswerFields])
    except DECODE_ERRORS:
        return
    if isinstance(given, dict):
        yield given
    elif len(given) == 1:
        yield given[0]


def _read_text(raw: msgspec.Raw) -> str:
    """Decode a JSON string; empty for any other value."""
    try:
        return msgspec.json.decode(raw, type=str)
    except DECODE_ERRORS:
        return ""
