"""Define and read the fields of a response file: lists, and responses by queried id.

An answer that does not name its subject is stored under the queried id: the answer,
`null` for none, or the error. A refused call is never read as "none".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from answerable.connectors.formats.aws_api_responses import (
    ACCESS_DENIED_CODES,
    DECODE_ERRORS,
    AnswerFields,
)
from answerable.connectors.formats.problem_collector import ProblemCollector
from answerable.connectors.formats.redaction import redact_name
from answerable.model.sighting import ReadProblem, ReadProblemKind

DecodedT = TypeVar("DecodedT")

# Lists as the CLI prints them.
LISTS = (
    "Buckets",
    "AccessPointList",
    "Keys",
    "Topics",
    "QueueUrls",
    "Functions",
    "SecretList",
    "repositories",
    "ResourceTagMappingList",
    "Reservations",
    "InstanceProfiles",
    "clusterArns",
    "LaunchTemplates",
    "agentSummaries",
    "agentRuntimes",
)


@dataclass(frozen=True, slots=True)
class AnswerField:
    """Field whose answers are stored under the queried id.

    Attributes:
        action: Required permission.
        kind: Kind of the queried resource; empty for any.
        absent_codes: Error codes that mean "there is none".
        document_field: Field of the answer with the policy; empty for none.
        bare: True if an answer without that field means no policy.
    """

    field: str
    action: str
    kind: str
    absent_codes: frozenset[str] = frozenset()
    document_field: str = ""
    bare: bool = False


def _define_policy_field(
    name: str,
    action: str,
    kind: str,
    absent_codes: str = "",
    document_field: str = "Policy",
) -> AnswerField:
    """Define an answer field with the policy documents of one resource kind."""
    bare = document_field in ("Attributes", "ResourcePolicy")
    return AnswerField(
        name, action, kind, frozenset(absent_codes.split()), document_field, bare
    )


# Error codes: the API reference of each operation, "Errors".
POLICIES = (
    _define_policy_field(
        "BucketPolicy", "s3:GetBucketPolicy", "s3:bucket", "NoSuchBucketPolicy"
    ),
    _define_policy_field(
        "AccessPointPolicy",
        "s3:GetAccessPointPolicy",
        "s3:accesspoint",
        "NoSuchAccessPointPolicy",
    ),
    _define_policy_field("KeyPolicy", "kms:GetKeyPolicy", "kms:key"),
    _define_policy_field(
        "TopicAttributes", "sns:GetTopicAttributes", "sns:topic", "", "Attributes"
    ),
    _define_policy_field(
        "QueueAttributes", "sqs:GetQueueAttributes", "sqs:queue", "", "Attributes"
    ),
    _define_policy_field(
        "FunctionPolicy",
        "lambda:GetPolicy",
        "lambda:function",
        "ResourceNotFoundException",
    ),
    _define_policy_field(
        "SecretPolicy",
        "secretsmanager:GetResourcePolicy",
        "secretsmanager:secret",
        "",
        "ResourcePolicy",
    ),
    _define_policy_field(
        "RepositoryPolicy",
        "ecr:GetRepositoryPolicy",
        "ecr:repository",
        "RepositoryPolicyNotFoundException",
        "policyText",
    ),
    _define_policy_field(
        "ResourcePolicy", "GetResourcePolicy", "", "PolicyNotFoundException"
    ),
)
GRANTS = AnswerField("KeyGrants", "kms:ListGrants", "kms:key")
ACCESS_POINT = AnswerField("AccessPoint", "s3:GetAccessPoint", "s3:accesspoint")
_NO_BLOCK_CODES = frozenset(["NoSuchPublicAccessBlockConfiguration"])
BUCKET_BLOCK = AnswerField(
    "PublicAccessBlock", "s3:GetBucketPublicAccessBlock", "s3:bucket", _NO_BLOCK_CODES
)
ACCOUNT_BLOCK = AnswerField(
    "AccountPublicAccessBlock",
    "s3:GetAccountPublicAccessBlock",
    "account",
    _NO_BLOCK_CODES,
)
BUCKET_TAGS = AnswerField(
    "BucketTagging", "s3:GetBucketTagging", "s3:bucket", frozenset(["NoSuchTagSet"])
)
TASKS = AnswerField(
    "TaskDefinitions", "ecs:DescribeTaskDefinition", "ecs:task-definition"
)
CLUSTER_TASKS = AnswerField("ClusterTasks", "ecs:DescribeTasks", "ecs:cluster")
TEMPLATE_VERSIONS = AnswerField(
    "DefaultVersions", "ec2:DescribeLaunchTemplateVersions", "ec2:launch-template"
)
_NO_AGENT_CODES = frozenset(["ResourceNotFoundException"])
AGENTS = AnswerField("BedrockAgents", "bedrock:GetAgent", "", _NO_AGENT_CODES)
COLLABORATORS = AnswerField(
    "AgentCollaborators", "bedrock:ListAgentCollaborators", "", _NO_AGENT_CODES
)
RUNTIMES = AnswerField(
    "AgentRuntimes", "bedrock-agentcore:GetAgentRuntime", "", _NO_AGENT_CODES
)
GATEWAYS = AnswerField(
    "AgentGateways", "bedrock-agentcore:GetGateway", "", _NO_AGENT_CODES
)
DESCRIBED = AnswerField("Described", "describing it", "")
QUESTIONS = (
    *POLICIES,
    GRANTS,
    ACCESS_POINT,
    BUCKET_BLOCK,
    ACCOUNT_BLOCK,
    BUCKET_TAGS,
    TASKS,
    CLUSTER_TASKS,
    TEMPLATE_VERSIONS,
    AGENTS,
    COLLABORATORS,
    RUNTIMES,
    GATEWAYS,
    DESCRIBED,
)
FIELDS = (*LISTS, *(question.field for question in QUESTIONS))

# Where a page says that more follow. The CLI's own word is NextToken.
_CONTINUATION_FIELDS = ("NextToken", "nextToken", "NextMarker", "NextContinuationToken")
_ERROR_CODE = re.compile(r"[^(]{0,200}\(([A-Za-z.]{1,80})\).*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FieldAnswer:
    """Answer of one field for one id.

    Attributes:
        queried_id: Queried id, as in the file.
        raw: The answer; None where the queried thing does not exist.
        place: Place in the file.
    """

    queried_id: str
    raw: msgspec.Raw | None
    place: str


@dataclass(slots=True)
class AnswerReader(ProblemCollector):
    """Reader of answers with its problems; refusals of one kind are counted."""

    refusals: dict[tuple[str, bool], list[str]] = field(default_factory=dict)

    def iter_records(
        self, fields: AnswerFields, name: str, kind: type[DecodedT], parent_place: str
    ) -> Iterator[tuple[DecodedT, str]]:
        """Yield the entries of a list with their places."""
        if name not in fields:
            return
        raws = (
            self.decode(fields[name], list[msgspec.Raw], f"{parent_place}/{name}") or []
        )
        for index, raw in enumerate(raws):
            place = f"{parent_place}/{name}/{index}"
            record = self.decode(raw, kind, place)
            if record is not None:
                yield record, place

    def iter_answers(
        self, fields: AnswerFields, answer_field: AnswerField, parent_place: str
    ) -> Iterator[FieldAnswer]:
        """Yield the answers of a field; refused calls become problems."""
        name = answer_field.field
        if name not in fields:
            return
        for asked, raw in (
            self.decode(fields[name], AnswerFields, f"{parent_place}/{name}") or {}
        ).items():
            place = f"{parent_place}/{name}/{redact_name(asked)}"
            code = read_error_code(raw)
            if bytes(raw) == b"null" or (code and code in answer_field.absent_codes):
                yield FieldAnswer(asked, None, place)
            elif code is None:
                yield FieldAnswer(asked, raw, place)
            else:
                key = (answer_field.action, code in ACCESS_DENIED_CODES)
                self.refusals.setdefault(key, []).append(place)

    def report_if_truncated(self, fields: AnswerFields, parent_place: str) -> None:
        """Add a problem if an answer is not the last page."""
        if is_truncated(fields):
            what = "truncated: collect again without --max-items"
            self.add_problem(parent_place, what)

    def list_problems(self) -> tuple[ReadProblem, ...]:
        """List all problems; refusals are grouped by kind."""
        return (
            *self.problems,
            *(
                ReadProblem(
                    ReadProblemKind.PERMISSION if denied else ReadProblemKind.NETWORK,
                    places[0],
                    f"{action} {'is not allowed' if denied else 'failed'}"
                    + (f", {len(places)} times" if len(places) > 1 else ""),
                )
                for (action, denied), places in self.refusals.items()
            ),
        )


def is_truncated(fields: AnswerFields) -> bool:
    """Return whether an answer is not the last page."""
    return any(
        bytes(fields.get(n, b"null")) not in (b"null", b'""')
        for n in _CONTINUATION_FIELDS
    )


def read_error_code(raw: msgspec.Raw) -> str | None:
    """Read the error in place of an answer; None for no error.

    An error is text (what the CLI prints), or an object with the field `Error`: text,
    or an object with `Code` as in the API. The code of an error of another form is
    empty. Only letters of the code are used.
    """
    try:
        given = msgspec.json.decode(raw, type=AnswerFields | str)
        error = _parse_error(given)
    except DECODE_ERRORS:
        return None
    if error is None or _is_error_code(error):
        return error
    found = _ERROR_CODE.fullmatch(error[:2000])
    return found[1] if found else ""


def _parse_error(raw_error: AnswerFields | str) -> str | None:
    """Return the error code in place of an answer; None for no error."""
    if isinstance(raw_error, str):
        # The policy itself, as `--query Policy --output text` prints it, is no error.
        return None if raw_error.lstrip().startswith("{") else raw_error
    if "Error" not in raw_error:
        return None
    try:
        error = msgspec.json.decode(raw_error["Error"], type=_AwsCliError | str)
    except DECODE_ERRORS:
        return ""
    return error if isinstance(error, str) else error.code


def _is_error_code(text: str) -> bool:
    """Return whether a text has the form of an error code."""
    return len(text) <= 80 and text.replace(".", "").isalpha()


class _AwsCliError(msgspec.Struct, rename="pascal", frozen=True):
    code: str = ""
