"""PassRole rules: services that run code under a passed role.

Sources: the AWS Service Authorization Reference for the actions and the resources they
must all be allowed on; "Granting a user permissions to pass a role to an AWS service"
(IAM User Guide); the developer guide of the service for the code under the role; the
catalogued path where there is one (pathfinding.cloud, by id).
"""

from answerable.reach.aws.escalation_rules.containers import CONTAINERS
from answerable.reach.aws.escalation_rules.managed_services import MANAGED_SERVICES
from answerable.reach.aws.escalation_rules.rule_helpers import EC2, arn, launch
from answerable.reach.aws.escalation_rules.rule_types import Launch

_FUNCTION = arn("lambda", "function:{name}")
_TASK = arn("ecs", "task-definition/{name}:1")
_SERVICE = arn("ecs", "service/{name}/{name}")
_JOB = arn("glue", "job/{name}")
_TRIGGER = arn("glue", "trigger/{name}")
_SESSION = arn("glue", "session/{name}")
_STACK = arn("cloudformation", "stack/{name}/{name}")
_PROJECT = arn("codebuild", "project/{name}")
_PIPELINE = arn("datapipeline", "pipeline/{name}")
_NOTEBOOK = arn("sagemaker", "notebook-instance/{name}")
_INTERPRETER = arn("bedrock-agentcore", "code-interpreter-custom/{name}")
_RUNTIME = arn("bedrock-agentcore", "runtime/{name}")
_MACHINE = arn("states", "stateMachine:{name}")
_STACK_SET = arn("cloudformation", "stackset/{name}:{name}")
_THERE = "{existing}"
_ENDPOINT = "runtime-endpoint/DEFAULT"

# The Service Authorization Reference marks these as required: a policy that allows the
# action on instances alone launches nothing.
_IMAGE = "arn:{partition}:ec2:{region}::image/{name}"
_INSTANCE_NEEDS = tuple(
    ("ec2:RunInstances", resource)
    for resource in (
        arn("ec2", "instance/{name}"),
        _IMAGE,
        arn("ec2", "network-interface/{name}"),
        arn("ec2", "security-group/{name}"),
        arn("ec2", "subnet/{name}"),
    )
)
# ARN templates of the resources that rules change, for snapshots without one.
KINDS: dict[str, str] = {
    "codepipeline:pipeline": arn("codepipeline", "{name}"),
    "eks:cluster": arn("eks", "cluster/{name}"),
    "apprunner:service": arn("apprunner", "service/{name}/{name}"),
    "batch:job-queue": arn("batch", "job-queue/{name}"),
    "bedrock-agentcore:runtime": _RUNTIME,
    "cloudformation:stack": _STACK,
    "cloudformation:stackset": _STACK_SET,
    "codebuild:project": _PROJECT,
    "ec2:instance": arn("ec2", "instance/{name}"),
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


LAUNCHES: tuple[Launch, ...] = (
    launch(
        _LAMBDA,
        "AWS Lambda Developer Guide, execution role; pathfinding.cloud lambda-001",
        ("lambda:CreateFunction", _FUNCTION),
        ("lambda:InvokeFunction", _FUNCTION),
    ),
    launch(
        _LAMBDA,
        "AWS Lambda Developer Guide, event sources; pathfinding.cloud lambda-002",
        ("lambda:CreateFunction", _FUNCTION),
        ("lambda:CreateEventSourceMapping", "*"),
    ),
    launch(
        _LAMBDA,
        "AWS Lambda Developer Guide, function policy; pathfinding.cloud lambda-006",
        ("lambda:CreateFunction", _FUNCTION),
        ("lambda:AddPermission", _FUNCTION),
    ),
    launch(
        _LAMBDA,
        "AWS Lambda Developer Guide, execution role",
        ("lambda:UpdateFunctionConfiguration", _THERE),
        ("lambda:UpdateFunctionCode", _THERE),
        ("lambda:InvokeFunction", _THERE),
        changes="lambda:function",
    ),
    launch(
        EC2,
        "Amazon EC2 User Guide, IAM roles; pathfinding.cloud ec2-001",
        *_INSTANCE_NEEDS,
    ),
    launch(
        EC2,
        "Amazon EC2 User Guide, Spot requests; pathfinding.cloud ec2-004",
        ("ec2:RequestSpotInstances", arn("ec2", "spot-instances-request/{name}")),
        ("ec2:RequestSpotInstances", _IMAGE),
    ),
    launch(
        EC2,
        "Amazon EC2 User Guide, replace the IAM role of an instance; user data",
        ("ec2:AssociateIamInstanceProfile", _THERE),
        ("ec2:ModifyInstanceAttribute", _THERE),
        ("ec2:StopInstances", _THERE),
        ("ec2:StartInstances", _THERE),
        changes="ec2:instance",
    ),
    *CONTAINERS,
    launch(
        _GLUE,
        "AWS Glue Developer Guide, development endpoints; pathfinding.cloud glue-001",
        ("glue:CreateDevEndpoint", "*"),
    ),
    launch(
        _GLUE,
        "AWS Glue Developer Guide, jobs; pathfinding.cloud glue-003",
        ("glue:CreateJob", _JOB),
        ("glue:StartJobRun", _JOB),
    ),
    launch(
        _GLUE,
        "AWS Glue Developer Guide, triggers; pathfinding.cloud glue-004",
        ("glue:CreateJob", _JOB),
        ("glue:CreateTrigger", _TRIGGER),
    ),
    launch(
        _GLUE,
        "AWS Glue Developer Guide, jobs; pathfinding.cloud glue-005",
        ("glue:UpdateJob", _THERE),
        ("glue:StartJobRun", _THERE),
        changes="glue:job",
    ),
    launch(
        _GLUE,
        "AWS Glue Developer Guide, triggers; pathfinding.cloud glue-006",
        ("glue:UpdateJob", _THERE),
        ("glue:CreateTrigger", _TRIGGER),
        changes="glue:job",
    ),
    launch(
        _GLUE,
        "AWS Glue Developer Guide, interactive sessions; pathfinding.cloud glue-007",
        ("glue:CreateSession", _SESSION),
        ("glue:RunStatement", _SESSION),
    ),
    launch(
        _CFN,
        "AWS CloudFormation User Guide, service role; "
        "pathfinding.cloud cloudformation-001",
        ("cloudformation:CreateStack", _STACK),
    ),
    launch(
        _CFN,
        "AWS CloudFormation User Guide, change sets",
        ("cloudformation:CreateChangeSet", _STACK),
        ("cloudformation:ExecuteChangeSet", _STACK),
    ),
    launch(
        _CFN,
        "AWS CloudFormation User Guide, service role",
        ("cloudformation:UpdateStack", _THERE),
        changes="cloudformation:stack",
    ),
    launch(
        _CFN,
        "AWS CloudFormation User Guide, StackSets with self-managed permissions: the "
        "administration role; pathfinding.cloud cloudformation-003",
        ("cloudformation:CreateStackSet", "*"),
        ("cloudformation:CreateStackInstances", _STACK_SET),
    ),
    launch(
        _CFN,
        "AWS CloudFormation User Guide, StackSets with self-managed permissions: the "
        "administration role; pathfinding.cloud cloudformation-004",
        ("cloudformation:UpdateStackSet", _THERE),
        changes="cloudformation:stackset",
    ),
    launch(
        _CODEBUILD,
        "AWS CodeBuild User Guide, service role; pathfinding.cloud codebuild-001",
        ("codebuild:CreateProject", _PROJECT),
        ("codebuild:StartBuild", _PROJECT),
    ),
    launch(
        _CODEBUILD,
        "AWS CodeBuild User Guide, batch builds; pathfinding.cloud codebuild-004",
        ("codebuild:CreateProject", _PROJECT),
        ("codebuild:StartBuildBatch", _PROJECT),
    ),
    launch(
        _CODEBUILD,
        "AWS CodeBuild User Guide, change a build project's settings",
        ("codebuild:UpdateProject", _THERE),
        ("codebuild:StartBuild", _THERE),
        changes="codebuild:project",
    ),
    launch(
        "datapipeline.amazonaws.com",
        "AWS Data Pipeline Developer Guide, roles; pathfinding.cloud datapipeline-001",
        ("datapipeline:CreatePipeline", "*"),
        ("datapipeline:PutPipelineDefinition", _PIPELINE),
        ("datapipeline:ActivatePipeline", _PIPELINE),
    ),
    launch(
        _SAGEMAKER,
        "Amazon SageMaker Developer Guide, roles; pathfinding.cloud sagemaker-001",
        ("sagemaker:CreateNotebookInstance", _NOTEBOOK),
    ),
    launch(
        _SAGEMAKER,
        "Amazon SageMaker Developer Guide, roles; pathfinding.cloud sagemaker-002",
        ("sagemaker:CreateTrainingJob", arn("sagemaker", "training-job/{name}")),
    ),
    launch(
        _SAGEMAKER,
        "Amazon SageMaker Developer Guide, roles; pathfinding.cloud sagemaker-003",
        ("sagemaker:CreateProcessingJob", arn("sagemaker", "processing-job/{name}")),
    ),
    launch(
        _SAGEMAKER,
        "Amazon SageMaker Developer Guide, roles",
        ("sagemaker:StopNotebookInstance", _THERE),
        ("sagemaker:UpdateNotebookInstance", _THERE),
        ("sagemaker:StartNotebookInstance", _THERE),
        ("sagemaker:CreatePresignedNotebookInstanceUrl", _THERE),
        changes="sagemaker:notebook-instance",
    ),
    launch(
        _AGENTCORE,
        "Amazon Bedrock AgentCore Developer Guide, code interpreter; "
        "pathfinding.cloud bedrock-001",
        ("bedrock-agentcore:CreateCodeInterpreter", "*"),
        ("bedrock-agentcore:StartCodeInterpreterSession", _INTERPRETER),
        ("bedrock-agentcore:InvokeCodeInterpreter", _INTERPRETER),
    ),
    launch(
        _AGENTCORE,
        "Amazon Bedrock AgentCore Developer Guide, runtime execution role",
        ("bedrock-agentcore:CreateAgentRuntime", "*"),
        ("bedrock-agentcore:InvokeAgentRuntime", _RUNTIME),
        ("bedrock-agentcore:InvokeAgentRuntime", f"{_RUNTIME}/{_ENDPOINT}"),
    ),
    launch(
        _AGENTCORE,
        "Amazon Bedrock AgentCore Developer Guide, runtime execution role",
        ("bedrock-agentcore:UpdateAgentRuntime", _THERE),
        ("bedrock-agentcore:InvokeAgentRuntime", _THERE),
        ("bedrock-agentcore:InvokeAgentRuntime", f"{_THERE}/{_ENDPOINT}"),
        changes="bedrock-agentcore:runtime",
    ),
    launch(
        "tasks.apprunner.amazonaws.com",
        "AWS App Runner Developer Guide, instance role",
        ("apprunner:UpdateService", _THERE),
        changes="apprunner:service",
    ),
    launch(
        "states.amazonaws.com",
        "AWS Step Functions Developer Guide, state machine role; "
        "pathfinding.cloud stepfunctions-001",
        ("states:CreateStateMachine", _MACHINE),
        ("states:StartExecution", _MACHINE),
    ),
    launch(
        "states.amazonaws.com",
        "AWS Step Functions Developer Guide, state machine role",
        ("states:UpdateStateMachine", _THERE),
        ("states:StartExecution", _THERE),
        changes="states:stateMachine",
    ),
    launch(
        "scheduler.amazonaws.com",
        "Amazon EventBridge Scheduler User Guide, universal targets; "
        "pathfinding.cloud scheduler-001",
        ("scheduler:CreateSchedule", arn("scheduler", "schedule/{name}/{name}")),
    ),
    launch(
        "ssm.amazonaws.com",
        "AWS Systems Manager User Guide, Automation: assume role; "
        "pathfinding.cloud ssm-003",
        ("ssm:CreateDocument", arn("ssm", "document/{name}")),
        ("ssm:StartAutomationExecution", arn("ssm", "document/{name}")),
        ("ssm:StartAutomationExecution", arn("ssm", "automation-execution/{name}")),
    ),
    launch(
        "emr-serverless.amazonaws.com",
        "Amazon EMR Serverless User Guide, job runtime roles; "
        "pathfinding.cloud emrserverless-001",
        ("emr-serverless:CreateApplication", "*"),
        ("emr-serverless:StartJobRun", arn("emr-serverless", "/applications/{name}")),
    ),
    *MANAGED_SERVICES,
)
