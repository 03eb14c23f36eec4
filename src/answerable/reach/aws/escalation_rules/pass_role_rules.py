"""Table of `iam:PassRole` rules: services that run code under a role passed to them.

Sources: the AWS Service Authorization Reference for the actions and the resources they
must all be allowed on; "Granting a user permissions to pass a role to an AWS service"
(IAM User Guide); the developer guide of the service for the code under the role; the
catalogued path where there is one (pathfinding.cloud, by id).
"""

from answerable.reach.aws.escalation_rules.pass_role_container_rules import CONTAINERS
from answerable.reach.aws.escalation_rules.pass_role_managed_service_rules import (
    MANAGED_SERVICES,
)
from answerable.reach.aws.escalation_rules.rule_builders import (
    EC2,
    build_arn,
    build_pass_role_rule,
)
from answerable.reach.aws.escalation_rules.rule_types import PassRoleRule

_FUNCTION = build_arn("lambda", "function:{name}")
_TASK = build_arn("ecs", "task-definition/{name}:1")
_SERVICE = build_arn("ecs", "service/{name}/{name}")
_JOB = build_arn("glue", "job/{name}")
_TRIGGER = build_arn("glue", "trigger/{name}")
_SESSION = build_arn("glue", "session/{name}")
_STACK = build_arn("cloudformation", "stack/{name}/{name}")
_PROJECT = build_arn("codebuild", "project/{name}")
_PIPELINE = build_arn("datapipeline", "pipeline/{name}")
_NOTEBOOK = build_arn("sagemaker", "notebook-instance/{name}")
_INTERPRETER = build_arn("bedrock-agentcore", "code-interpreter-custom/{name}")
_RUNTIME = build_arn("bedrock-agentcore", "runtime/{name}")
_MACHINE = build_arn("states", "stateMachine:{name}")
_STACK_SET = build_arn("cloudformation", "stackset/{name}:{name}")
_THERE = "{existing}"
_ENDPOINT = "runtime-endpoint/DEFAULT"

# The Service Authorization Reference marks these as required: a policy that allows the
# action on instances alone launches nothing.
_IMAGE = "arn:{partition}:ec2:{region}::image/{name}"
_INSTANCE_NEEDS = tuple(
    ("ec2:RunInstances", resource)
    for resource in (
        build_arn("ec2", "instance/{name}"),
        _IMAGE,
        build_arn("ec2", "network-interface/{name}"),
        build_arn("ec2", "security-group/{name}"),
        build_arn("ec2", "subnet/{name}"),
    )
)
# ARN templates of the resources that rules change, for snapshots without one.
RESOURCE_ARN_TEMPLATES: dict[str, str] = {
    "codepipeline:pipeline": build_arn("codepipeline", "{name}"),
    "eks:cluster": build_arn("eks", "cluster/{name}"),
    "apprunner:service": build_arn("apprunner", "service/{name}/{name}"),
    "batch:job-queue": build_arn("batch", "job-queue/{name}"),
    "bedrock-agentcore:runtime": _RUNTIME,
    "cloudformation:stack": _STACK,
    "cloudformation:stackset": _STACK_SET,
    "codebuild:project": _PROJECT,
    "ec2:instance": build_arn("ec2", "instance/{name}"),
    "ecs:service": _SERVICE,
    "ecs:task-definition": _TASK,
    "glue:job": _JOB,
    "lambda:function": _FUNCTION,
    "sagemaker:notebook-instance": _NOTEBOOK,
    "states:stateMachine": _MACHINE,
}

_LAMBDA = "lambda.amazonaws.com"
_GLUE = "glue.amazonaws.com"
_SAGEMAKER = "sagemaker.amazonaws.com"
_CODEBUILD = "codebuild.amazonaws.com"
_CFN = "cloudformation.amazonaws.com"
_AGENTCORE = "bedrock-agentcore.amazonaws.com"


PASS_ROLE_RULES: tuple[PassRoleRule, ...] = (
    build_pass_role_rule(
        _LAMBDA,
        "AWS Lambda Developer Guide, execution role; pathfinding.cloud lambda-001",
        (
            ("lambda:CreateFunction", _FUNCTION),
            ("lambda:InvokeFunction", _FUNCTION),
        ),
    ),
    build_pass_role_rule(
        _LAMBDA,
        "AWS Lambda Developer Guide, event sources; pathfinding.cloud lambda-002",
        (
            ("lambda:CreateFunction", _FUNCTION),
            ("lambda:CreateEventSourceMapping", "*"),
        ),
    ),
    build_pass_role_rule(
        _LAMBDA,
        "AWS Lambda Developer Guide, function policy; pathfinding.cloud lambda-006",
        (
            ("lambda:CreateFunction", _FUNCTION),
            ("lambda:AddPermission", _FUNCTION),
        ),
    ),
    build_pass_role_rule(
        _LAMBDA,
        "AWS Lambda Developer Guide, execution role",
        (
            ("lambda:UpdateFunctionConfiguration", _THERE),
            ("lambda:UpdateFunctionCode", _THERE),
            ("lambda:InvokeFunction", _THERE),
        ),
        changed_resource_kind="lambda:function",
    ),
    build_pass_role_rule(
        EC2,
        "Amazon EC2 User Guide, IAM roles; pathfinding.cloud ec2-001",
        (*_INSTANCE_NEEDS,),
    ),
    build_pass_role_rule(
        EC2,
        "Amazon EC2 User Guide, Spot requests; pathfinding.cloud ec2-004",
        (
            (
                "ec2:RequestSpotInstances",
                build_arn("ec2", "spot-instances-request/{name}"),
            ),
            ("ec2:RequestSpotInstances", _IMAGE),
        ),
    ),
    build_pass_role_rule(
        EC2,
        "Amazon EC2 User Guide, replace the IAM role of an instance; user data",
        (
            ("ec2:AssociateIamInstanceProfile", _THERE),
            ("ec2:ModifyInstanceAttribute", _THERE),
            ("ec2:StopInstances", _THERE),
            ("ec2:StartInstances", _THERE),
        ),
        changed_resource_kind="ec2:instance",
    ),
    *CONTAINERS,
    build_pass_role_rule(
        _GLUE,
        "AWS Glue Developer Guide, development endpoints; pathfinding.cloud glue-001",
        (("glue:CreateDevEndpoint", "*"),),
    ),
    build_pass_role_rule(
        _GLUE,
        "AWS Glue Developer Guide, jobs; pathfinding.cloud glue-003",
        (
            ("glue:CreateJob", _JOB),
            ("glue:StartJobRun", _JOB),
        ),
    ),
    build_pass_role_rule(
        _GLUE,
        "AWS Glue Developer Guide, triggers; pathfinding.cloud glue-004",
        (
            ("glue:CreateJob", _JOB),
            ("glue:CreateTrigger", _TRIGGER),
        ),
    ),
    build_pass_role_rule(
        _GLUE,
        "AWS Glue Developer Guide, jobs; pathfinding.cloud glue-005",
        (
            ("glue:UpdateJob", _THERE),
            ("glue:StartJobRun", _THERE),
        ),
        changed_resource_kind="glue:job",
    ),
    build_pass_role_rule(
        _GLUE,
        "AWS Glue Developer Guide, triggers; pathfinding.cloud glue-006",
        (
            ("glue:UpdateJob", _THERE),
            ("glue:CreateTrigger", _TRIGGER),
        ),
        changed_resource_kind="glue:job",
    ),
    build_pass_role_rule(
        _GLUE,
        "AWS Glue Developer Guide, interactive sessions; pathfinding.cloud glue-007",
        (
            ("glue:CreateSession", _SESSION),
            ("glue:RunStatement", _SESSION),
        ),
    ),
    build_pass_role_rule(
        _CFN,
        "AWS CloudFormation User Guide, service role; "
        "pathfinding.cloud cloudformation-001",
        (("cloudformation:CreateStack", _STACK),),
    ),
    build_pass_role_rule(
        _CFN,
        "AWS CloudFormation User Guide, change sets",
        (
            ("cloudformation:CreateChangeSet", _STACK),
            ("cloudformation:ExecuteChangeSet", _STACK),
        ),
    ),
    build_pass_role_rule(
        _CFN,
        "AWS CloudFormation User Guide, service role",
        (("cloudformation:UpdateStack", _THERE),),
        changed_resource_kind="cloudformation:stack",
    ),
    build_pass_role_rule(
        _CFN,
        "AWS CloudFormation User Guide, StackSets with self-managed permissions: the "
        "administration role; pathfinding.cloud cloudformation-003",
        (
            ("cloudformation:CreateStackSet", "*"),
            ("cloudformation:CreateStackInstances", _STACK_SET),
        ),
    ),
    build_pass_role_rule(
        _CFN,
        "AWS CloudFormation User Guide, StackSets with self-managed permissions: the "
        "administration role; pathfinding.cloud cloudformation-004",
        (("cloudformation:UpdateStackSet", _THERE),),
        changed_resource_kind="cloudformation:stackset",
    ),
    build_pass_role_rule(
        _CODEBUILD,
        "AWS CodeBuild User Guide, service role; pathfinding.cloud codebuild-001",
        (
            ("codebuild:CreateProject", _PROJECT),
            ("codebuild:StartBuild", _PROJECT),
        ),
    ),
    build_pass_role_rule(
        _CODEBUILD,
        "AWS CodeBuild User Guide, batch builds; pathfinding.cloud codebuild-004",
        (
            ("codebuild:CreateProject", _PROJECT),
            ("codebuild:StartBuildBatch", _PROJECT),
        ),
    ),
    build_pass_role_rule(
        _CODEBUILD,
        "AWS CodeBuild User Guide, change a build project's settings",
        (
            ("codebuild:UpdateProject", _THERE),
            ("codebuild:StartBuild", _THERE),
        ),
        changed_resource_kind="codebuild:project",
    ),
    build_pass_role_rule(
        "datapipeline.amazonaws.com",
        "AWS Data Pipeline Developer Guide, roles; pathfinding.cloud datapipeline-001",
        (
            ("datapipeline:CreatePipeline", "*"),
            ("datapipeline:PutPipelineDefinition", _PIPELINE),
            ("datapipeline:ActivatePipeline", _PIPELINE),
        ),
    ),
    build_pass_role_rule(
        _SAGEMAKER,
        "Amazon SageMaker Developer Guide, roles; pathfinding.cloud sagemaker-001",
        (("sagemaker:CreateNotebookInstance", _NOTEBOOK),),
    ),
    build_pass_role_rule(
        _SAGEMAKER,
        "Amazon SageMaker Developer Guide, roles; pathfinding.cloud sagemaker-002",
        (
            (
                "sagemaker:CreateTrainingJob",
                build_arn("sagemaker", "training-job/{name}"),
            ),
        ),
    ),
    build_pass_role_rule(
        _SAGEMAKER,
        "Amazon SageMaker Developer Guide, roles; pathfinding.cloud sagemaker-003",
        (
            (
                "sagemaker:CreateProcessingJob",
                build_arn("sagemaker", "processing-job/{name}"),
            ),
        ),
    ),
    build_pass_role_rule(
        _SAGEMAKER,
        "Amazon SageMaker Developer Guide, roles",
        (
            ("sagemaker:StopNotebookInstance", _THERE),
            ("sagemaker:UpdateNotebookInstance", _THERE),
            ("sagemaker:StartNotebookInstance", _THERE),
            ("sagemaker:CreatePresignedNotebookInstanceUrl", _THERE),
        ),
        changed_resource_kind="sagemaker:notebook-instance",
    ),
    build_pass_role_rule(
        _AGENTCORE,
        "Amazon Bedrock AgentCore Developer Guide, code interpreter; "
        "pathfinding.cloud bedrock-001",
        (
            ("bedrock-agentcore:CreateCodeInterpreter", "*"),
            ("bedrock-agentcore:StartCodeInterpreterSession", _INTERPRETER),
            ("bedrock-agentcore:InvokeCodeInterpreter", _INTERPRETER),
        ),
    ),
    build_pass_role_rule(
        _AGENTCORE,
        "Amazon Bedrock AgentCore Developer Guide, runtime execution role",
        (
            ("bedrock-agentcore:CreateAgentRuntime", "*"),
            ("bedrock-agentcore:InvokeAgentRuntime", _RUNTIME),
            ("bedrock-agentcore:InvokeAgentRuntime", f"{_RUNTIME}/{_ENDPOINT}"),
        ),
    ),
    build_pass_role_rule(
        _AGENTCORE,
        "Amazon Bedrock AgentCore Developer Guide, runtime execution role",
        (
            ("bedrock-agentcore:UpdateAgentRuntime", _THERE),
            ("bedrock-agentcore:InvokeAgentRuntime", _THERE),
            ("bedrock-agentcore:InvokeAgentRuntime", f"{_THERE}/{_ENDPOINT}"),
        ),
        changed_resource_kind="bedrock-agentcore:runtime",
    ),
    build_pass_role_rule(
        "tasks.apprunner.amazonaws.com",
        "AWS App Runner Developer Guide, instance role",
        (("apprunner:UpdateService", _THERE),),
        changed_resource_kind="apprunner:service",
    ),
    build_pass_role_rule(
        "states.amazonaws.com",
        "AWS Step Functions Developer Guide, state machine role; "
        "pathfinding.cloud stepfunctions-001",
        (
            ("states:CreateStateMachine", _MACHINE),
            ("states:StartExecution", _MACHINE),
        ),
    ),
    build_pass_role_rule(
        "states.amazonaws.com",
        "AWS Step Functions Developer Guide, state machine role",
        (
            ("states:UpdateStateMachine", _THERE),
            ("states:StartExecution", _THERE),
        ),
        changed_resource_kind="states:stateMachine",
    ),
    build_pass_role_rule(
        "scheduler.amazonaws.com",
        "Amazon EventBridge Scheduler User Guide, universal targets; "
        "pathfinding.cloud scheduler-001",
        (
            (
                "scheduler:CreateSchedule",
                build_arn("scheduler", "schedule/{name}/{name}"),
            ),
        ),
    ),
    build_pass_role_rule(
        "ssm.amazonaws.com",
        "AWS Systems Manager User Guide, Automation: assume role; "
        "pathfinding.cloud ssm-003",
        (
            ("ssm:CreateDocument", build_arn("ssm", "document/{name}")),
            ("ssm:StartAutomationExecution", build_arn("ssm", "document/{name}")),
            (
                "ssm:StartAutomationExecution",
                build_arn("ssm", "automation-execution/{name}"),
            ),
        ),
    ),
    build_pass_role_rule(
        "emr-serverless.amazonaws.com",
        "Amazon EMR Serverless User Guide, job runtime roles; "
        "pathfinding.cloud emrserverless-001",
        (
            ("emr-serverless:CreateApplication", "*"),
            (
                "emr-serverless:StartJobRun",
                build_arn("emr-serverless", "/applications/{name}"),
            ),
        ),
    ),
    *MANAGED_SERVICES,
)
