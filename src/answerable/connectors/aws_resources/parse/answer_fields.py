"""Fields of an answer file: lists, and answers stored under a queried id.

An answer that does not name its subject is stored under the queried id: the answer,
`null` for none, or the error. A refused call is never read as "none".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from answerable.connectors.formats.aws_api_answers import (
    DENIED,
    UNREADABLE,
    Fields,
    why_invalid,
)
from answerable.connectors.formats.redaction import show_name
from answerable.model.sighting import Problem, ProblemKind

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
class Question:
    """Field whose answers are stored under the queried id.

    Attributes:
        action: Required permission.
        kind: Kind of the queried resource; empty for any.
        none: Error codes that mean "there is none".
        holds: Field of the answer with the policy; empty for none.
        bare: True if an answer without that field means no policy.
    """

    field: str
    action: str
    kind: str
    none: frozenset[str] = frozenset()
    holds: str = ""
    bare: bool = False


def _policy(
    name: str, action: str, kind: str, none: str = "", holds: str = "Policy"
) -> Question:
    bare = holds in ("Attributes", "ResourcePolicy")
    return Question(name, action, kind, frozenset(none.split()), holds, bare)


# Error codes: the API reference of each operation, "Errors".
POLICIES = (
    _policy("BucketPolicy", "s3:GetBucketPolicy", "s3:bucket", "NoSuchBucketPolicy"),
    _policy(
        "AccessPointPolicy",
        "s3:GetAccessPointPolicy",
        "s3:accesspoint",
        "NoSuchAccessPointPolicy",
    ),
    _policy("KeyPolicy", "kms:GetKeyPolicy", "kms:key"),
    _policy("TopicAttributes", "sns:GetTopicAttributes", "sns:topic", "", "Attributes"),
    _policy("QueueAttributes", "sqs:GetQueueAttributes", "sqs:queue", "", "Attributes"),
    _policy(
        "FunctionPolicy",
        "lambda:GetPolicy",
        "lambda:function",
        "ResourceNotFoundException",
    ),
    _policy(
        "SecretPolicy",
        "secretsmanager:GetResourcePolicy",
        "secretsmanager:secret",
        "",
        "ResourcePolicy",
    ),
    _policy(
        "RepositoryPolicy",
        "ecr:GetRepositoryPolicy",
        "ecr:repository",
        "RepositoryPolicyNotFoundException",
        "policyText",
    ),
    _policy("ResourcePolicy", "GetResourcePolicy", "", "PolicyNotFoundException"),
)
GRANTS = Question("KeyGrants", "kms:ListGrants", "kms:key")
ACCESS_POINT = Question("AccessPoint", "s3:GetAccessPoint", "s3:accesspoint")
_NO_BLOCK = frozenset(["NoSuchPublicAccessBlockConfiguration"])
BUCKET_BLOCK = Question(
    "PublicAccessBlock", "s3:GetBucketPublicAccessBlock", "s3:bucket", _NO_BLOCK
)
ACCOUNT_BLOCK = Question(
    "AccountPublicAccessBlock", "s3:GetAccountPublicAccessBlock", "account", _NO_BLOCK
)
BUCKET_TAGS = Question(
    "BucketTagging", "s3:GetBucketTagging", "s3:bucket", frozenset(["NoSuchTagSet"])
)
TASKS = Question("TaskDefinitions", "ecs:DescribeTaskDefinition", "ecs:task-definition")
CLUSTER_TASKS = Question("ClusterTasks", "ecs:DescribeTasks", "ecs:cluster")
TEMPLATE_VERSIONS = Question(
    "DefaultVersions", "ec2:DescribeLaunchTemplateVersions", "ec2:launch-template"
)
_NO_AGENT = frozenset(["ResourceNotFoundException"])
AGENTS = Question("BedrockAgents", "bedrock:GetAgent", "", _NO_AGENT)
COLLABORATORS = Question(
    "AgentCollaborators", "bedrock:ListAgentCollaborators", "", _NO_AGENT
)
RUNTIMES = Question("AgentRuntimes", "bedrock-agentcore:GetAgentRuntime", "", _NO_AGENT)
GATEWAYS = Question("AgentGateways", "bedrock-agentcore:GetGateway", "", _NO_AGENT)
DESCRIBED = Question("Described", "describing it", "")
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
_MORE = ("NextToken", "nextToken", "NextMarker", "NextContinuationToken")
_CODE = re.compile(r"[^(]{0,200}\(([A-Za-z.]{1,80})\).*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Asked:
    """Answer of one field for one id.

    Attributes:
        asked: Queried id, as in the file.
        raw: The answer; None where the queried thing does not exist.
        place: Place in the file.
    """

    asked: str
    raw: msgspec.Raw | None
    place: str


@dataclass(slots=True)
class Reading:
    """Reader of answers with its problems; refusals of one kind are counted."""

    problems: list[Problem] = field(default_factory=list)
    refusals: dict[tuple[str, bool], list[str]] = field(default_factory=dict)

    def problem(self, place: str, what: str) -> None:
        """Add a problem."""
        self.problems.append(Problem(ProblemKind.INVALID, place, what))

    def decode(
        self, raw: msgspec.Raw, kind: type[DecodedT], place: str
    ) -> DecodedT | None:
        """Decode JSON to a type, or add a problem."""
        try:
            return msgspec.json.decode(raw, type=kind)
        except UNREADABLE as error:
            self.problem(place, why_invalid(error))
            return None

    def records(
        self, fields: Fields, name: str, kind: type[DecodedT], base: str
    ) -> Iterator[tuple[DecodedT, str]]:
        """Yield the entries of a list with their places."""
        if name not in fields:
            return
        raws = self.decode(fields[name], list[msgspec.Raw], f"{base}/{name}") or []
        for index, raw in enumerate(raws):
            place = f"{base}/{name}/{index}"
            record = self.decode(raw, kind, place)
            if record is not None:
                yield record, place

    def asked(self, fields: Fields, question: Question, base: str) -> Iterator[Asked]:
        """Yield the answers of a field; refused calls become problems."""
        name = question.field
        if name not in fields:
            return
        for asked, raw in (
            self.decode(fields[name], Fields, f"{base}/{name}") or {}
        ).items():
            place = f"{base}/{name}/{show_name(asked)}"
            code = error_code(raw)
            if bytes(raw) == b"null" or (code and code in question.none):
                yield Asked(asked, None, place)
            elif code is None:
                yield Asked(asked, raw, place)
            else:
                key = (question.action, code in DENIED)
                self.refusals.setdefault(key, []).append(place)

    def more(self, fields: Fields, base: str) -> None:
        """Add a problem for an answer that is not the last page."""
        if has_more(fields):
            what = "more entries follow that are missing: collect without --max-items"
            self.problem(base, what)

    def all_problems(self) -> tuple[Problem, ...]:
        """List all problems; refusals are grouped by kind."""
        return (
            *self.problems,
            *(
                Problem(
                    ProblemKind.PERMISSION if denied else ProblemKind.NETWORK,
                    places[0],
                    f"{action} {'is not allowed' if denied else 'failed'}"
                    + (f", {len(places)} times" if len(places) > 1 else ""),
                )
                for (action, denied), places in self.refusals.items()
            ),
        )


def has_more(fields: Fields) -> bool:
    """Tell whether an answer is not the last page."""
    return any(bytes(fields.get(n, b"null")) not in (b"null", b'""') for n in _MORE)


def error_code(raw: msgspec.Raw) -> str | None:
    """Read the error in place of an answer; None for no error.

    An error is text (what the CLI prints), or an object with the field `Error`: text,
    or an object with `Code` as in the API. The code of an error of another form is
    empty. Only letters of the code are used.
    """
    try:
        given = msgspec.json.decode(raw, type=Fields | str)
        error = _error(given)
    except UNREADABLE:
        return None
    if error is None or _is_word(error):
        return error
    found = _CODE.fullmatch(error[:2000])
    return found[1] if found else ""


def _error(given: Fields | str) -> str | None:
    if isinstance(given, str):
        # The policy itself, as `--query Policy --output text` prints it, is no error.
        return None if given.lstrip().startswith("{") else given
    if "Error" not in given:
        return None
    try:
        error = msgspec.json.decode(given["Error"], type=_Error | str)
    except UNREADABLE:
        return ""
    return error if isinstance(error, str) else error.code


def _is_word(text: str) -> bool:
    return len(text) <= 80 and text.replace(".", "").isalpha()


class _Error(msgspec.Struct, rename="pascal", frozen=True):
    code: str = ""
