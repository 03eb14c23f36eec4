"""Table of takeover rules: run commands in code that already has an identity.

Sources: as in `pass_role_rules`; `iam:PassRole` is required again only where the call
passes the role again. A precondition that no snapshot shows (an agent that listens, a
trigger) is named and stays open.
"""

from answerable.reach.aws.escalation_rules.rule_types import (
    RequiredPermission,
    TakeoverRule,
)

_THERE = "{existing}"
_LAMBDA = "lambda:function"
_INSTANCE = "ec2:instance"
_PROJECT = "codebuild:project"
_NOTEBOOK = "sagemaker:notebook-instance"
_STACK = "cloudformation:stack"

_INVOKED = "an event that invokes the function"
_MANAGED = "the instance is managed by Systems Manager"
_NETWORK = "the network lets SSH reach the instance"
_CONSOLE = "the account allows the serial console"
_LAUNCHED = "something launches instances from the template"
_DEPLOYED = "the instance is in a deployment group and has the CodeDeploy agent"
_ASSERTED = "the role's trust accepts an assertion that the caller signs"
_EXEC = "the task was started with execute command enabled"


# Kinds that are collected separately, or by no source (Batch, browsers): coverage names
# places where an actor may take one over and that were not scanned for it.
SEPARATELY_COLLECTED_KINDS = frozenset(
    [
        "batch:job-definition",
        "bedrock-agentcore:browser-custom",
        "ec2:launch-template",
        "ecs:task",
    ]
)


def _build_arn(service: str, resource: str) -> str:
    """Build the ARN template of a regional resource of the caller's account."""
    return f"arn:{{partition}}:{service}:{{region}}:{{account}}:{resource}"


def _build_rule(
    kind: str,
    source: str,
    *needs: str | tuple[str, str],
    service: str = "",
    precondition: str = "",
) -> TakeoverRule:
    """Build a takeover rule; an action without a resource is on the running code."""
    made = tuple(
        RequiredPermission(need, _THERE)
        if isinstance(need, str)
        else RequiredPermission(*need)
        for need in needs
    )
    return TakeoverRule(kind, made, source, service, precondition)


TAKEOVER_RULES: tuple[TakeoverRule, ...] = (
    _build_rule(
        "iam:saml-provider",
        "AWS IAM API Reference, UpdateSAMLProvider: it replaces the metadata document; "
        "AWS STS API Reference, AssumeRoleWithSAML: it needs no AWS credentials",
        "iam:UpdateSAMLProvider",
        precondition=_ASSERTED,
    ),
    _build_rule(
        _LAMBDA,
        "AWS Lambda Developer Guide, updating code; pathfinding.cloud lambda-004",
        "lambda:UpdateFunctionCode",
        "lambda:InvokeFunction",
    ),
    _build_rule(
        _LAMBDA,
        "AWS Lambda Developer Guide, function policy; pathfinding.cloud lambda-005",
        "lambda:UpdateFunctionCode",
        "lambda:AddPermission",
    ),
    _build_rule(
        _LAMBDA,
        "AWS Lambda Developer Guide, event sources",
        "lambda:UpdateFunctionCode",
        ("lambda:CreateEventSourceMapping", "*"),
    ),
    _build_rule(
        _LAMBDA,
        "AWS Lambda Developer Guide, updating code; pathfinding.cloud lambda-003",
        "lambda:UpdateFunctionCode",
        precondition=_INVOKED,
    ),
    _build_rule(
        _LAMBDA,
        "AWS Lambda Developer Guide, layers",
        "lambda:UpdateFunctionConfiguration",
        "lambda:InvokeFunction",
        ("lambda:GetLayerVersion", _build_arn("lambda", "layer:{name}:1")),
    ),
    _build_rule(
        _LAMBDA,
        "AWS Lambda Developer Guide, layers",
        "lambda:UpdateFunctionConfiguration",
        ("lambda:GetLayerVersion", _build_arn("lambda", "layer:{name}:1")),
        precondition=_INVOKED,
    ),
    _build_rule(
        _INSTANCE,
        "Amazon EC2 User Guide, user data at each start; pathfinding.cloud ec2-002",
        "ec2:ModifyInstanceAttribute",
        "ec2:StopInstances",
        "ec2:StartInstances",
    ),
    _build_rule(
        _INSTANCE,
        "AWS Systems Manager User Guide, Run Command; pathfinding.cloud ssm-002",
        "ssm:SendCommand",
        (
            "ssm:SendCommand",
            "arn:{partition}:ssm:{region}::document/AWS-RunShellScript",
        ),
        precondition=_MANAGED,
    ),
    _build_rule(
        _INSTANCE,
        "AWS Systems Manager User Guide, Run Command: a document of one's own",
        "ssm:SendCommand",
        ("ssm:CreateDocument", _build_arn("ssm", "document/{name}")),
        ("ssm:SendCommand", _build_arn("ssm", "document/{name}")),
        precondition=_MANAGED,
    ),
    _build_rule(
        _INSTANCE,
        "AWS Systems Manager User Guide, Session Manager; pathfinding.cloud ssm-001",
        "ssm:StartSession",
        precondition=_MANAGED,
    ),
    _build_rule(
        _INSTANCE,
        "Amazon EC2 User Guide, Instance Connect; "
        "pathfinding.cloud ec2-003 (formerly ec2instanceconnect-003)",
        "ec2-instance-connect:SendSSHPublicKey",
        precondition=_NETWORK,
    ),
    _build_rule(
        _INSTANCE,
        "Amazon EC2 User Guide, EC2 Serial Console",
        "ec2-instance-connect:SendSerialConsoleSSHPublicKey",
        precondition=_CONSOLE,
    ),
    _build_rule(
        "ec2:launch-template",
        "Amazon EC2 User Guide, launch templates; pathfinding.cloud ec2-005",
        "ec2:CreateLaunchTemplateVersion",
        "ec2:ModifyLaunchTemplate",
        precondition=_LAUNCHED,
    ),
    _build_rule(
        "ecs:task",
        "Amazon ECS Developer Guide, ECS Exec; pathfinding.cloud ecs-006",
        "ecs:ExecuteCommand",
        ("ecs:ExecuteCommand", _build_arn("ecs", "cluster/{parent}")),
        precondition=_EXEC,
    ),
    _build_rule(
        _INSTANCE,
        "AWS CodeDeploy User Guide, AppSpec hooks; pathfinding.cloud codedeploy-001",
        (
            "codedeploy:CreateDeployment",
            _build_arn("codedeploy", "deploymentgroup:{name}/{name}"),
        ),
        (
            "codedeploy:RegisterApplicationRevision",
            _build_arn("codedeploy", "application:{name}"),
        ),
        precondition=_DEPLOYED,
    ),
    _build_rule(
        "batch:job-definition",
        "AWS Batch API Reference, SubmitJob: containerOverrides; "
        "pathfinding.cloud batch-002",
        "batch:SubmitJob",
        ("batch:SubmitJob", _build_arn("batch", "job-queue/{name}")),
        precondition="a job queue exists",
    ),
    _build_rule(
        "bedrock-agentcore:browser-custom",
        "Amazon Bedrock AgentCore Developer Guide, browser tool; "
        "pathfinding.cloud bedrock-007",
        "bedrock-agentcore:StartBrowserSession",
        ("bedrock-agentcore:ConnectBrowserAutomationStream", "*"),
    ),
    _build_rule(
        _PROJECT,
        "AWS CodeBuild API Reference, StartBuild: buildspecOverride; "
        "pathfinding.cloud codebuild-002",
        "codebuild:StartBuild",
    ),
    _build_rule(
        _PROJECT,
        "AWS CodeBuild API Reference, StartBuildBatch: buildspecOverride; "
        "pathfinding.cloud codebuild-003",
        "codebuild:StartBuildBatch",
    ),
    _build_rule(
        "glue:devEndpoint",
        "AWS Glue API Reference, UpdateDevEndpoint: AddPublicKeys; "
        "pathfinding.cloud glue-002",
        "glue:UpdateDevEndpoint",
    ),
    _build_rule(
        "glue:session",
        "AWS Glue Developer Guide, interactive sessions",
        "glue:RunStatement",
    ),
    _build_rule(
        _NOTEBOOK,
        "Amazon SageMaker Developer Guide, notebook instances; "
        "pathfinding.cloud sagemaker-004",
        "sagemaker:CreatePresignedNotebookInstanceUrl",
    ),
    _build_rule(
        _NOTEBOOK,
        "Amazon SageMaker Developer Guide, lifecycle configurations; "
        "pathfinding.cloud sagemaker-005",
        (
            "sagemaker:CreateNotebookInstanceLifecycleConfig",
            _build_arn("sagemaker", "notebook-instance-lifecycle-config/{name}"),
        ),
        "sagemaker:StopNotebookInstance",
        "sagemaker:UpdateNotebookInstance",
        "sagemaker:StartNotebookInstance",
    ),
    _build_rule(
        "bedrock-agentcore:code-interpreter-custom",
        "Amazon Bedrock AgentCore Developer Guide, code interpreter; "
        "pathfinding.cloud bedrock-002",
        "bedrock-agentcore:StartCodeInterpreterSession",
        "bedrock-agentcore:InvokeCodeInterpreter",
    ),
    _build_rule(
        "bedrock-agentcore:runtime",
        "Amazon Bedrock AgentCore Developer Guide, commands in a runtime session; "
        "pathfinding.cloud bedrock-004",
        "bedrock-agentcore:InvokeAgentRuntimeCommand",
        (
            "bedrock-agentcore:InvokeAgentRuntimeCommand",
            f"{_THERE}/runtime-endpoint/DEFAULT",
        ),
    ),
    _build_rule(
        "apprunner:service",
        "AWS App Runner Developer Guide, instance role; "
        "pathfinding.cloud apprunner-002",
        "apprunner:UpdateService",
    ),
    _build_rule(
        _STACK,
        "AWS CloudFormation User Guide, service role; "
        "pathfinding.cloud cloudformation-002",
        "cloudformation:UpdateStack",
    ),
    _build_rule(
        _STACK,
        "AWS CloudFormation User Guide, change sets; "
        "pathfinding.cloud cloudformation-005",
        "cloudformation:CreateChangeSet",
        "cloudformation:ExecuteChangeSet",
    ),
    _build_rule(
        "states:stateMachine",
        "AWS Step Functions Developer Guide, AWS SDK integrations; "
        "pathfinding.cloud stepfunctions-002",
        "states:UpdateStateMachine",
        "states:StartExecution",
    ),
    _build_rule(
        "emr-serverless:applications",
        "Amazon EMR Serverless User Guide, job runtime roles",
        "emr-serverless:StartJobRun",
        service="emr-serverless.amazonaws.com",
    ),
)
