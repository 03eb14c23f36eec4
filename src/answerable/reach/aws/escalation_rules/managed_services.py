"""PassRole rules for further managed services.

Sources: as in `pass_role_rules`; each rule names its page. A rule with an external
precondition stays open, since no snapshot shows it.
"""

from answerable.reach.aws.escalation_rules.rule_helpers import EC2, arn, launch
from answerable.reach.aws.escalation_rules.rule_types import Launch

_THERE = "{existing}"
_MANAGED = "the instance is managed by Systems Manager"
_AGENTCORE = "bedrock-agentcore.amazonaws.com"
_SAGEMAKER = "sagemaker.amazonaws.com"
_COGNITO = "cognito-identity.amazonaws.com"
_EVENTS = "events.amazonaws.com"
_RULE = arn("events", "rule/{name}")
_PIPELINE = arn("codepipeline", "{name}")
_GATEWAY = arn("bedrock-agentcore", "gateway/{name}")
_RUNTIME = arn("bedrock-agentcore", "runtime/{name}")
_PROFILE = arn("sagemaker", "user-profile/{name}/{name}")

MANAGED_SERVICES: tuple[Launch, ...] = (
    launch(
        EC2,
        "Amazon EC2 Auto Scaling User Guide, IAM role for applications that run on "
        "Amazon EC2 instances; Auto Scaling launch configurations: accounts created on "
        "or after October 1, 2024 cannot create them",
        (
            "autoscaling:CreateLaunchConfiguration",
            arn(
                "autoscaling",
                "launchConfiguration:{name}:launchConfigurationName/{name}",
            ),
        ),
        (
            "autoscaling:CreateAutoScalingGroup",
            arn("autoscaling", "autoScalingGroup:{name}:autoScalingGroupName/{name}"),
        ),
        awaits="the account was created before October 2024",
    ),
    launch(
        EC2,
        "Amazon EC2 User Guide, attach an IAM role to an instance; AWS Systems Manager "
        "User Guide, Session Manager",
        ("ec2:AssociateIamInstanceProfile", _THERE),
        ("ssm:StartSession", _THERE),
        changes="ec2:instance",
        awaits=_MANAGED,
    ),
    launch(
        EC2,
        "Amazon EC2 User Guide, attach an IAM role to an instance; AWS Systems Manager "
        "User Guide, Run Command",
        ("ec2:AssociateIamInstanceProfile", _THERE),
        ("ssm:SendCommand", _THERE),
        (
            "ssm:SendCommand",
            "arn:{partition}:ssm:{region}::document/AWS-RunShellScript",
        ),
        changes="ec2:instance",
        awaits=_MANAGED,
    ),
    launch(
        EC2,
        "Amazon EMR Management Guide, IAM service roles: the service role for cluster "
        "EC2 instances (EC2 instance profile); pathfinding.cloud emr-001",
        ("elasticmapreduce:RunJobFlow", "*"),
        awaits="a service role for EMR itself may be passed too",
    ),
    launch(
        EC2,
        "EC2 Image Builder User Guide, infrastructure configuration: instance profile; "
        "pathfinding.cloud imagebuilder-001",
        (
            "imagebuilder:CreateComponent",
            arn("imagebuilder", "component/{name}/1.0.0/1"),
        ),
        (
            "imagebuilder:CreateImageRecipe",
            arn("imagebuilder", "image-recipe/{name}/1.0.0"),
        ),
        (
            "imagebuilder:CreateInfrastructureConfiguration",
            arn("imagebuilder", "infrastructure-configuration/{name}"),
        ),
        ("imagebuilder:CreateImage", arn("imagebuilder", "image/{name}/1.0.0/1")),
    ),
    launch(
        "pods.eks.amazonaws.com",
        "Amazon EKS User Guide, assign an IAM role to a Kubernetes service account: "
        "EKS Pod Identity associations",
        ("eks:CreatePodIdentityAssociation", _THERE),
        changes="eks:cluster",
        awaits="a pod of the caller's runs under the service account",
    ),
    launch(
        _EVENTS,
        "Amazon EventBridge User Guide, IAM roles for sending events to targets",
        ("events:PutRule", _RULE),
        ("events:PutTargets", _RULE),
        awaits="the call is one that a target of a rule makes",
    ),
    launch(
        "codepipeline.amazonaws.com",
        "AWS CodePipeline User Guide, Commands action reference: commands run with the "
        "permissions of the pipeline's service role",
        ("codepipeline:CreatePipeline", _PIPELINE),
    ),
    launch(
        "codepipeline.amazonaws.com",
        "AWS CodePipeline User Guide, Commands action reference; edit a pipeline",
        ("codepipeline:UpdatePipeline", _THERE),
        ("codepipeline:StartPipelineExecution", _THERE),
        changes="codepipeline:pipeline",
    ),
    launch(
        "airflow.amazonaws.com",
        "Amazon MWAA User Guide, execution role: code of workflows runs under it",
        ("airflow:CreateEnvironment", arn("airflow", "environment/{name}")),
    ),
    launch(
        _SAGEMAKER,
        "Amazon SageMaker Developer Guide, execution role of a Studio domain",
        ("sagemaker:CreateDomain", arn("sagemaker", "domain/{name}")),
        ("sagemaker:CreateUserProfile", _PROFILE),
        ("sagemaker:CreatePresignedDomainUrl", _PROFILE),
    ),
    launch(
        _SAGEMAKER,
        "Amazon SageMaker Developer Guide, execution role of a Studio user profile",
        ("sagemaker:CreateUserProfile", _PROFILE),
        ("sagemaker:CreatePresignedDomainUrl", _PROFILE),
        awaits="there is a Studio domain",
    ),
    launch(
        "ssm.amazonaws.com",
        "AWS Systems Manager User Guide, hybrid activations: a machine of one's own "
        "gets the role's credentials",
        ("ssm:CreateActivation", "*"),
    ),
    launch(
        "rolesanywhere.amazonaws.com",
        "IAM Roles Anywhere User Guide, trust anchors and profiles",
        ("rolesanywhere:CreateTrustAnchor", "*"),
        ("rolesanywhere:CreateProfile", "*"),
    ),
    launch(
        _AGENTCORE,
        "Amazon Bedrock AgentCore Developer Guide, Set up permissions for AgentCore "
        "Gateway: Smithy targets call AWS APIs under the gateway service role",
        ("bedrock-agentcore:CreateGateway", "*"),
        ("bedrock-agentcore:CreateGatewayTarget", _GATEWAY),
        ("bedrock-agentcore:InvokeGateway", _GATEWAY),
    ),
    launch(
        _AGENTCORE,
        "Amazon Bedrock AgentCore Developer Guide, runtime execution role and commands "
        "in a runtime session, which a harness has too; pathfinding.cloud bedrock-003, "
        "bedrock-005",
        ("bedrock-agentcore:CreateAgentRuntime", "*"),
        ("bedrock-agentcore:CreateAgentRuntimeEndpoint", _RUNTIME),
        (
            "bedrock-agentcore:CreateWorkloadIdentity",
            arn("bedrock-agentcore", "workload-identity-directory/{name}"),
        ),
        ("bedrock-agentcore:InvokeAgentRuntimeCommand", _RUNTIME),
        (
            "bedrock-agentcore:InvokeAgentRuntimeCommand",
            f"{_RUNTIME}/runtime-endpoint/DEFAULT",
        ),
    ),
    launch(
        _AGENTCORE,
        "Amazon Bedrock AgentCore Developer Guide, browser tool: execution role; "
        "pathfinding.cloud bedrock-006",
        ("bedrock-agentcore:CreateBrowser", "*"),
        (
            "bedrock-agentcore:StartBrowserSession",
            arn("bedrock-agentcore", "browser-custom/{name}"),
        ),
        ("bedrock-agentcore:ConnectBrowserAutomationStream", "*"),
    ),
    launch(
        _COGNITO,
        "Amazon Cognito Developer Guide, IAM roles, role-based access control; Amazon "
        "Cognito Federated Identities API Reference, SetIdentityPoolRoles, GetId (a "
        "public API); pathfinding.cloud cognitoidentity-001",
        ("cognito-identity:SetIdentityPoolRoles", "*"),
        awaits="an identity pool that gives the caller an identity is there",
    ),
    launch(
        _COGNITO,
        "Amazon Cognito Federated Identities API Reference, CreateIdentityPool, "
        "SetIdentityPoolRoles, GetId (a public API)",
        ("cognito-identity:CreateIdentityPool", "*"),
        ("cognito-identity:SetIdentityPoolRoles", "*"),
    ),
    launch(
        "braket.amazonaws.com",
        "Amazon Braket Developer Guide, Prerequisites of hybrid jobs: execution role; "
        "pathfinding.cloud braket-001",
        ("braket:CreateJob", arn("braket", "job/{name}")),
    ),
    launch(
        "gamelift.amazonaws.com",
        "Amazon GameLift Servers Developer Guide, Set up an IAM service role; "
        "pathfinding.cloud gamelift-001",
        ("gamelift:CreateBuild", "*"),
        ("gamelift:CreateFleet", "*"),
    ),
    launch(
        "kinesisanalytics.amazonaws.com",
        "Managed Service for Apache Flink Developer Guide, execution role; "
        "pathfinding.cloud kinesisanalytics-001",
        ("kinesisanalytics:CreateApplication", "*"),
        (
            "kinesisanalytics:StartApplication",
            arn("kinesisanalytics", "application/{name}"),
        ),
    ),
    launch(
        "omics.amazonaws.com",
        "AWS HealthOmics User Guide, Service roles for AWS HealthOmics; "
        "pathfinding.cloud omics-001",
        ("omics:CreateWorkflow", "*"),
        ("omics:StartRun", arn("omics", "run/{name}")),
        ("omics:StartRun", arn("omics", "workflow/{name}")),
    ),
    launch(
        "amplify.amazonaws.com",
        "AWS Amplify Hosting User Guide, Adding a service role to an Amplify app",
        ("amplify:CreateApp", "*"),
        ("amplify:CreateBranch", arn("amplify", "apps/{name}/branches/{name}")),
        ("amplify:StartJob", arn("amplify", "apps/{name}/branches/{name}/jobs/{name}")),
    ),
    launch(
        "tasks.apprunner.amazonaws.com",
        "AWS App Runner Developer Guide, instance role; service-linked roles; "
        "availability change: closed to new customers; pathfinding.cloud apprunner-001",
        ("apprunner:CreateService", arn("apprunner", "service/{name}/{name}")),
        awaits="the account used App Runner before it closed to new customers",
    ),
)
