"""Ways from one identity to another that are not `sts:AssumeRole`, as data.

Each rule names the actions one principal needs in its policies together. Sources: the
AWS Service Authorization Reference for the actions and what they act on, "Granting a
user permissions to pass a role to an AWS service" (IAM User Guide), the developer guide
of the service for what runs under the role; the catalogued path where there is one
(pathfinding.cloud, by id).
"""

from dataclasses import dataclass
from enum import StrEnum

NAME = "answerable"  # stands for a name the caller may choose
REGION = "us-east-1"  # stands for a region the caller may choose


class Gives(StrEnum):
    """What a rule leads to."""

    SERVICE_ROLE = "service-role"
    TARGET = "target"
    TRUST = "trust"
    SELF = "self"
    MEMBERSHIP = "membership"


class On(StrEnum):
    """What a rule that edits IAM acts on."""

    USER = "user"
    ROLE = "role"
    GROUP = "group"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Need:
    """An action and a resource it must be allowed on.

    Attributes:
        action: As the service spells it.
        resource: ARN with `{partition}`, `{region}`, `{account}` and `{name}`, or `*`
            for an action that takes no resource.
    """

    action: str
    resource: str


@dataclass(frozen=True, slots=True)
class Launch:
    """Pass a role to a service, and have the service run something under it.

    Attributes:
        service: Receives the role: `iam:PassedToService` and the role's trust.
        needs: All are needed beside `iam:PassRole` on the role.
        source: Where that is said.
    """

    service: str
    needs: tuple[Need, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Create a credential, or edit a policy, a trust or a membership.

    Attributes:
        action: As IAM spells it.
        on: What it acts on.
        gives: What it leads to.
        source: Where that is said.
        context: Condition keys the call itself settles.
    """

    action: str
    on: On
    gives: Gives
    source: str
    context: tuple[tuple[str, str], ...] = ()


def _arn(service: str, resource: str) -> str:
    return f"arn:{{partition}}:{service}:{{region}}:{{account}}:{resource}"


_FUNCTION = _arn("lambda", "function:{name}")
_TASK = _arn("ecs", "task-definition/{name}:1")
_SERVICE = _arn("ecs", "service/{name}/{name}")
_JOB = _arn("glue", "job/{name}")
_TRIGGER = _arn("glue", "trigger/{name}")
_SESSION = _arn("glue", "session/{name}")
_STACK = _arn("cloudformation", "stack/{name}/{name}")
_PROJECT = _arn("codebuild", "project/{name}")
_PIPELINE = _arn("datapipeline", "pipeline/{name}")
_NOTEBOOK = _arn("sagemaker", "notebook-instance/{name}")
_INTERPRETER = _arn("bedrock-agentcore", "code-interpreter-custom/{name}")
_RUNTIME = _arn("bedrock-agentcore", "runtime/{name}")
_MACHINE = _arn("states", "stateMachine:{name}")

_LAMBDA = "lambda.amazonaws.com"
_ECS = "ecs-tasks.amazonaws.com"
_GLUE = "glue.amazonaws.com"
_EC2 = "ec2.amazonaws.com"
_SAGEMAKER = "sagemaker.amazonaws.com"
_CODEBUILD = "codebuild.amazonaws.com"
_CFN = "cloudformation.amazonaws.com"
_AGENTCORE = "bedrock-agentcore.amazonaws.com"


def _launch(service: str, source: str, *needs: tuple[str, str]) -> Launch:
    return Launch(service, tuple(Need(*need) for need in needs), source)


LAUNCHES: tuple[Launch, ...] = (
    _launch(
        _LAMBDA,
        "AWS Lambda Developer Guide, execution role; pathfinding.cloud lambda-001",
        ("lambda:CreateFunction", _FUNCTION),
        ("lambda:InvokeFunction", _FUNCTION),
    ),
    _launch(
        _LAMBDA,
        "AWS Lambda Developer Guide, event sources; pathfinding.cloud lambda-002",
        ("lambda:CreateFunction", _FUNCTION),
        ("lambda:CreateEventSourceMapping", "*"),
    ),
    _launch(
        _LAMBDA,
        "AWS Lambda Developer Guide, function policy; pathfinding.cloud lambda-006",
        ("lambda:CreateFunction", _FUNCTION),
        ("lambda:AddPermission", _FUNCTION),
    ),
    _launch(
        _EC2,
        "Amazon EC2 User Guide, IAM roles; pathfinding.cloud ec2-001",
        ("ec2:RunInstances", _arn("ec2", "instance/{name}")),
    ),
    _launch(
        _EC2,
        "Amazon EC2 User Guide, Spot requests; pathfinding.cloud ec2-003",
        ("ec2:RequestSpotInstances", _arn("ec2", "spot-instances-request/{name}")),
    ),
    _launch(
        _ECS,
        "Amazon ECS Developer Guide, task role; pathfinding.cloud ecs-004",
        ("ecs:RegisterTaskDefinition", _TASK),
        ("ecs:RunTask", _TASK),
    ),
    _launch(
        _ECS,
        "Amazon ECS Developer Guide, task role; pathfinding.cloud ecs-005",
        ("ecs:RegisterTaskDefinition", _TASK),
        ("ecs:StartTask", _TASK),
    ),
    _launch(
        _ECS,
        "Amazon ECS Developer Guide, services; pathfinding.cloud ecs-003",
        ("ecs:RegisterTaskDefinition", _TASK),
        ("ecs:CreateService", _SERVICE),
    ),
    _launch(
        _GLUE,
        "AWS Glue Developer Guide, development endpoints; pathfinding.cloud glue-001",
        ("glue:CreateDevEndpoint", "*"),
    ),
    _launch(
        _GLUE,
        "AWS Glue Developer Guide, jobs; pathfinding.cloud glue-003",
        ("glue:CreateJob", _JOB),
        ("glue:StartJobRun", _JOB),
    ),
    _launch(
        _GLUE,
        "AWS Glue Developer Guide, triggers; pathfinding.cloud glue-004",
        ("glue:CreateJob", _JOB),
        ("glue:CreateTrigger", _TRIGGER),
    ),
    _launch(
        _GLUE,
        "AWS Glue Developer Guide, jobs; pathfinding.cloud glue-005",
        ("glue:UpdateJob", _JOB),
        ("glue:StartJobRun", _JOB),
    ),
    _launch(
        _GLUE,
        "AWS Glue Developer Guide, interactive sessions",
        ("glue:CreateSession", _SESSION),
        ("glue:RunStatement", _SESSION),
    ),
    _launch(
        _CFN,
        "AWS CloudFormation User Guide, service role; "
        "pathfinding.cloud cloudformation-001",
        ("cloudformation:CreateStack", _STACK),
    ),
    _launch(
        _CFN,
        "AWS CloudFormation User Guide, change sets",
        ("cloudformation:CreateChangeSet", _STACK),
        ("cloudformation:ExecuteChangeSet", _STACK),
    ),
    _launch(
        _CODEBUILD,
        "AWS CodeBuild User Guide, service role; pathfinding.cloud codebuild-001",
        ("codebuild:CreateProject", _PROJECT),
        ("codebuild:StartBuild", _PROJECT),
    ),
    _launch(
        _CODEBUILD,
        "AWS CodeBuild User Guide, batch builds; pathfinding.cloud codebuild-004",
        ("codebuild:CreateProject", _PROJECT),
        ("codebuild:StartBuildBatch", _PROJECT),
    ),
    _launch(
        "datapipeline.amazonaws.com",
        "AWS Data Pipeline Developer Guide, roles; pathfinding.cloud datapipeline-001",
        ("datapipeline:CreatePipeline", "*"),
        ("datapipeline:PutPipelineDefinition", _PIPELINE),
        ("datapipeline:ActivatePipeline", _PIPELINE),
    ),
    _launch(
        _SAGEMAKER,
        "Amazon SageMaker Developer Guide, roles; pathfinding.cloud sagemaker-001",
        ("sagemaker:CreateNotebookInstance", _NOTEBOOK),
    ),
    _launch(
        _SAGEMAKER,
        "Amazon SageMaker Developer Guide, roles; pathfinding.cloud sagemaker-002",
        ("sagemaker:CreateTrainingJob", _arn("sagemaker", "training-job/{name}")),
    ),
    _launch(
        _SAGEMAKER,
        "Amazon SageMaker Developer Guide, roles; pathfinding.cloud sagemaker-003",
        ("sagemaker:CreateProcessingJob", _arn("sagemaker", "processing-job/{name}")),
    ),
    _launch(
        _AGENTCORE,
        "Amazon Bedrock AgentCore Developer Guide, code interpreter; "
        "pathfinding.cloud bedrock-001",
        ("bedrock-agentcore:CreateCodeInterpreter", "*"),
        ("bedrock-agentcore:StartCodeInterpreterSession", _INTERPRETER),
        ("bedrock-agentcore:InvokeCodeInterpreter", _INTERPRETER),
    ),
    _launch(
        _AGENTCORE,
        "Amazon Bedrock AgentCore Developer Guide, runtime execution role",
        ("bedrock-agentcore:CreateAgentRuntime", "*"),
        ("bedrock-agentcore:InvokeAgentRuntime", _RUNTIME),
    ),
    _launch(
        "tasks.apprunner.amazonaws.com",
        "AWS App Runner Developer Guide, instance role; "
        "pathfinding.cloud apprunner-001",
        ("apprunner:CreateService", _arn("apprunner", "service/{name}/{name}")),
    ),
    _launch(
        "states.amazonaws.com",
        "AWS Step Functions Developer Guide, state machine role",
        ("states:CreateStateMachine", _MACHINE),
        ("states:StartExecution", _MACHINE),
    ),
)

_USERS = "AWS IAM User Guide, access keys; pathfinding.cloud"
_POLICIES = "AWS IAM User Guide, managing IAM policies; pathfinding.cloud"
_ADMIN = (("iam:policyarn", "arn:aws:iam::aws:policy/AdministratorAccess"),)

EDITS: tuple[Edit, ...] = (
    Edit("iam:CreateAccessKey", On.USER, Gives.TARGET, f"{_USERS} iam-002"),
    Edit("iam:CreateLoginProfile", On.USER, Gives.TARGET, f"{_USERS} iam-004"),
    Edit("iam:UpdateLoginProfile", On.USER, Gives.TARGET, f"{_USERS} iam-006"),
    Edit("iam:UpdateAssumeRolePolicy", On.ROLE, Gives.TRUST, f"{_POLICIES} iam-012"),
    Edit("iam:PutUserPolicy", On.USER, Gives.SELF, f"{_POLICIES} iam-007"),
    Edit("iam:PutRolePolicy", On.ROLE, Gives.SELF, f"{_POLICIES} iam-005"),
    Edit("iam:PutGroupPolicy", On.GROUP, Gives.SELF, f"{_POLICIES} iam-011"),
    Edit("iam:AttachUserPolicy", On.USER, Gives.SELF, f"{_POLICIES} iam-008", _ADMIN),
    Edit("iam:AttachRolePolicy", On.ROLE, Gives.SELF, f"{_POLICIES} iam-009", _ADMIN),
    Edit("iam:AttachGroupPolicy", On.GROUP, Gives.SELF, f"{_POLICIES} iam-010", _ADMIN),
    Edit("iam:CreatePolicyVersion", On.POLICY, Gives.SELF, f"{_POLICIES} iam-001"),
    Edit(
        "iam:SetDefaultPolicyVersion",
        On.POLICY,
        Gives.SELF,
        "AWS IAM User Guide, versioning IAM policies",
    ),
    Edit("iam:AddUserToGroup", On.GROUP, Gives.MEMBERSHIP, f"{_POLICIES} iam-013"),
)

# Setting another version as default helps only where a wider one exists, which the
# account's dump of default versions does not show.
OTHER_VERSION = "answerable:other-policy-version"


def actions() -> frozenset[str]:
    """Every action the rules ask about."""
    needs = {need.action for launch in LAUNCHES for need in launch.needs}
    edits = {edit.action for edit in EDITS}
    return frozenset(needs | edits | {"iam:PassRole", "sts:AssumeRole"})
