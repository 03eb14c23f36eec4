"""Ways to have a service run something under a role, as data.

Sources: the AWS Service Authorization Reference for the actions and the resources they
must all be allowed on; "Granting a user permissions to pass a role to an AWS service"
(IAM User Guide); the developer guide of the service for what runs under the role; the
catalogued path where there is one (pathfinding.cloud, by id).
"""

from answerable.reach.rules.forms import Launch, Need


def _arn(service: str, resource: str) -> str:
    return f"arn:{{partition}}:{service}:{{region}}:{{account}}:{resource}"


_FUNCTION = _arn("lambda", "function:{name}")
_TASK = _arn("ecs", "task-definition/{name}:1")
_CLUSTER = _arn("ecs", "cluster/{name}")
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
_STACK_SET = _arn("cloudformation", "stackset/{name}:{name}")
_THERE = "{existing}"
_ENDPOINT = "runtime-endpoint/DEFAULT"

# The Service Authorization Reference marks these as required: a policy that allows the
# action on instances alone launches nothing.
_IMAGE = "arn:{partition}:ec2:{region}::image/{name}"
_INSTANCE_NEEDS = tuple(
    ("ec2:RunInstances", resource)
    for resource in (
        _arn("ec2", "instance/{name}"),
        _IMAGE,
        _arn("ec2", "network-interface/{name}"),
        _arn("ec2", "security-group/{name}"),
        _arn("ec2", "subnet/{name}"),
    )
)
# EC2 receives a role inside an instance profile.
_INSTANCE_PROFILE = "arn:{partition}:iam::{account}:instance-profile/{name}"
_PROFILE = (
    Need("iam:CreateInstanceProfile", _INSTANCE_PROFILE),
    Need("iam:AddRoleToInstanceProfile", _INSTANCE_PROFILE),
)

# How a resource that a rule changes is named, for when the snapshot has none.
KINDS: dict[str, str] = {
    "apprunner:service": _arn("apprunner", "service/{name}/{name}"),
    "batch:job-queue": _arn("batch", "job-queue/{name}"),
    "bedrock-agentcore:runtime": _RUNTIME,
    "cloudformation:stack": _STACK,
    "cloudformation:stackset": _STACK_SET,
    "codebuild:project": _PROJECT,
    "ec2:instance": _arn("ec2", "instance/{name}"),
    "ecs:service": _SERVICE,
    "ecs:task-definition": _TASK,
    "glue:job": _JOB,
    "lambda:function": _FUNCTION,
    "sagemaker:notebook-instance": _NOTEBOOK,
    "states:stateMachine": _MACHINE,
}

_IN_CLUSTER = "there is a cluster that tasks can run in"
_ON_INSTANCE = "there is a cluster with a registered container instance"

_LAMBDA = "lambda.amazonaws.com"
_ECS = "ecs-tasks.amazonaws.com"
_GLUE = "glue.amazonaws.com"
_EC2 = "ec2.amazonaws.com"
_SAGEMAKER = "sagemaker.amazonaws.com"
_CODEBUILD = "codebuild.amazonaws.com"
_CFN = "cloudformation.amazonaws.com"
_AGENTCORE = "bedrock-agentcore.amazonaws.com"


def _launch(
    service: str,
    source: str,
    *needs: tuple[str, str],
    changes: str = "",
    awaits: str = "",
) -> Launch:
    also = _PROFILE if service == _EC2 else ()
    made = tuple(Need(*n) for n in needs)
    return Launch(service, made, source, changes, also, awaits)


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
        _LAMBDA,
        "AWS Lambda Developer Guide, execution role",
        ("lambda:UpdateFunctionConfiguration", _THERE),
        ("lambda:UpdateFunctionCode", _THERE),
        ("lambda:InvokeFunction", _THERE),
        changes="lambda:function",
    ),
    _launch(
        _EC2,
        "Amazon EC2 User Guide, IAM roles; pathfinding.cloud ec2-001",
        *_INSTANCE_NEEDS,
    ),
    _launch(
        _EC2,
        "Amazon EC2 User Guide, Spot requests; pathfinding.cloud ec2-003",
        ("ec2:RequestSpotInstances", _arn("ec2", "spot-instances-request/{name}")),
        ("ec2:RequestSpotInstances", _IMAGE),
    ),
    _launch(
        _EC2,
        "Amazon EC2 User Guide, replace the IAM role of an instance; user data",
        ("ec2:AssociateIamInstanceProfile", _THERE),
        ("ec2:ModifyInstanceAttribute", _THERE),
        ("ec2:StopInstances", _THERE),
        ("ec2:StartInstances", _THERE),
        changes="ec2:instance",
    ),
    # "RunTask: cluster. ... If you do not specify a cluster, the default cluster is
    # assumed": it is there only once somebody made it. StartTask needs an instance
    # that is registered in the cluster besides.
    _launch(
        _ECS,
        "Amazon ECS API Reference, RunTask and CreateCluster; "
        "pathfinding.cloud ecs-002",
        ("ecs:CreateCluster", _CLUSTER),
        ("ecs:RegisterTaskDefinition", _TASK),
        ("ecs:RunTask", _TASK),
    ),
    _launch(
        _ECS,
        "Amazon ECS API Reference, RunTask; pathfinding.cloud ecs-004",
        ("ecs:RegisterTaskDefinition", _TASK),
        ("ecs:RunTask", _TASK),
        awaits=_IN_CLUSTER,
    ),
    _launch(
        _ECS,
        "Amazon ECS API Reference, StartTask; pathfinding.cloud ecs-005",
        ("ecs:RegisterTaskDefinition", _TASK),
        ("ecs:StartTask", _TASK),
        awaits=_ON_INSTANCE,
    ),
    _launch(
        _ECS,
        "Amazon ECS API Reference, CreateService and CreateCluster; "
        "pathfinding.cloud ecs-001",
        ("ecs:CreateCluster", _CLUSTER),
        ("ecs:RegisterTaskDefinition", _TASK),
        ("ecs:CreateService", _SERVICE),
    ),
    _launch(
        _ECS,
        "Amazon ECS API Reference, CreateService; pathfinding.cloud ecs-003",
        ("ecs:RegisterTaskDefinition", _TASK),
        ("ecs:CreateService", _SERVICE),
        awaits=_IN_CLUSTER,
    ),
    _launch(
        _ECS,
        "Amazon ECS Developer Guide, services",
        ("ecs:RegisterTaskDefinition", _TASK),
        ("ecs:UpdateService", _THERE),
        changes="ecs:service",
    ),
    _launch(
        _ECS,
        "Amazon ECS API Reference, RunTask: overrides, taskRoleArn",
        ("ecs:RunTask", _THERE),
        changes="ecs:task-definition",
        awaits=_IN_CLUSTER,
    ),
    _launch(
        _ECS,
        "Amazon ECS API Reference, RunTask: overrides, taskRoleArn; CreateCluster",
        ("ecs:CreateCluster", _CLUSTER),
        ("ecs:RunTask", _THERE),
        changes="ecs:task-definition",
    ),
    _launch(
        _ECS,
        "Amazon ECS API Reference, StartTask: overrides, taskRoleArn",
        ("ecs:StartTask", _THERE),
        changes="ecs:task-definition",
        awaits=_ON_INSTANCE,
    ),
    _launch(
        _ECS,
        "AWS Batch User Guide, job definitions",
        ("batch:RegisterJobDefinition", _arn("batch", "job-definition/{name}")),
        ("batch:SubmitJob", _arn("batch", "job/{name}")),
        ("batch:SubmitJob", _THERE),
        changes="batch:job-queue",
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
        ("glue:UpdateJob", _THERE),
        ("glue:StartJobRun", _THERE),
        changes="glue:job",
    ),
    _launch(
        _GLUE,
        "AWS Glue Developer Guide, triggers; pathfinding.cloud glue-006",
        ("glue:UpdateJob", _THERE),
        ("glue:CreateTrigger", _TRIGGER),
        changes="glue:job",
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
        _CFN,
        "AWS CloudFormation User Guide, service role",
        ("cloudformation:UpdateStack", _THERE),
        changes="cloudformation:stack",
    ),
    _launch(
        _CFN,
        "AWS CloudFormation User Guide, StackSets with self-managed permissions: the "
        "administration role; pathfinding.cloud cloudformation-003",
        ("cloudformation:CreateStackSet", "*"),
        ("cloudformation:CreateStackInstances", _STACK_SET),
    ),
    _launch(
        _CFN,
        "AWS CloudFormation User Guide, StackSets with self-managed permissions: the "
        "administration role; pathfinding.cloud cloudformation-004",
        ("cloudformation:UpdateStackSet", _THERE),
        changes="cloudformation:stackset",
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
        _CODEBUILD,
        "AWS CodeBuild User Guide, change a build project's settings",
        ("codebuild:UpdateProject", _THERE),
        ("codebuild:StartBuild", _THERE),
        changes="codebuild:project",
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
        _SAGEMAKER,
        "Amazon SageMaker Developer Guide, roles",
        ("sagemaker:StopNotebookInstance", _THERE),
        ("sagemaker:UpdateNotebookInstance", _THERE),
        ("sagemaker:StartNotebookInstance", _THERE),
        ("sagemaker:CreatePresignedNotebookInstanceUrl", _THERE),
        changes="sagemaker:notebook-instance",
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
        ("bedrock-agentcore:InvokeAgentRuntime", f"{_RUNTIME}/{_ENDPOINT}"),
    ),
    _launch(
        _AGENTCORE,
        "Amazon Bedrock AgentCore Developer Guide, runtime execution role",
        ("bedrock-agentcore:UpdateAgentRuntime", _THERE),
        ("bedrock-agentcore:InvokeAgentRuntime", _THERE),
        ("bedrock-agentcore:InvokeAgentRuntime", f"{_THERE}/{_ENDPOINT}"),
        changes="bedrock-agentcore:runtime",
    ),
    _launch(
        "tasks.apprunner.amazonaws.com",
        "AWS App Runner Developer Guide, instance role; "
        "pathfinding.cloud apprunner-001",
        ("apprunner:CreateService", _arn("apprunner", "service/{name}/{name}")),
    ),
    _launch(
        "tasks.apprunner.amazonaws.com",
        "AWS App Runner Developer Guide, instance role",
        ("apprunner:UpdateService", _THERE),
        changes="apprunner:service",
    ),
    _launch(
        "states.amazonaws.com",
        "AWS Step Functions Developer Guide, state machine role",
        ("states:CreateStateMachine", _MACHINE),
        ("states:StartExecution", _MACHINE),
    ),
    _launch(
        "states.amazonaws.com",
        "AWS Step Functions Developer Guide, state machine role",
        ("states:UpdateStateMachine", _THERE),
        ("states:StartExecution", _THERE),
        changes="states:stateMachine",
    ),
    _launch(
        "scheduler.amazonaws.com",
        "Amazon EventBridge Scheduler User Guide, universal targets",
        ("scheduler:CreateSchedule", _arn("scheduler", "schedule/{name}/{name}")),
    ),
    _launch(
        "ssm.amazonaws.com",
        "AWS Systems Manager User Guide, Automation: assume role",
        ("ssm:CreateDocument", _arn("ssm", "document/{name}")),
        ("ssm:StartAutomationExecution", _arn("ssm", "document/{name}")),
        ("ssm:StartAutomationExecution", _arn("ssm", "automation-execution/{name}")),
    ),
    _launch(
        "emr-serverless.amazonaws.com",
        "Amazon EMR Serverless User Guide, job runtime roles",
        ("emr-serverless:CreateApplication", "*"),
        ("emr-serverless:StartJobRun", _arn("emr-serverless", "/applications/{name}")),
    ),
)
