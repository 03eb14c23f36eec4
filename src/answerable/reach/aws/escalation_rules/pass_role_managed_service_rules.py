"""Table of `iam:PassRole` rules for managed services: SageMaker, Bedrock and others.

Sources: as in `pass_role_rules`; each rule names its page. A rule with an external
precondition stays open, since no snapshot shows it.
"""

from answerable.reach.aws.escalation_rules.rule_builders import (
    EC2,
    build_arn,
    build_pass_role_rule,
)
from answerable.reach.aws.escalation_rules.rule_types import PassRoleRule

_THERE = "{existing}"
_MANAGED = "the instance is managed by Systems Manager"
_AGENTCORE = "bedrock-agentcore.amazonaws.com"
_SAGEMAKER = "sagemaker.amazonaws.com"
_COGNITO = "cognito-identity.amazonaws.com"
_EVENTS = "events.amazonaws.com"
_RULE = build_arn("events", "rule/{name}")
_PIPELINE = build_arn("codepipeline", "{name}")
_GATEWAY = build_arn("bedrock-agentcore", "gateway/{name}")
_RUNTIME = build_arn("bedrock-agentcore", "runtime/{name}")
_PROFILE = build_arn("sagemaker", "user-profile/{name}/{name}")

MANAGED_SERVICES: tuple[PassRoleRule, ...] = (
    build_pass_role_rule(
        EC2,
        "Amazon EC2 Auto Scaling User Guide, IAM role for applications that run on "
        "Amazon EC2 instances; Auto Scaling launch configurations: accounts created on "
        "or after October 1, 2024 cannot create them",
        (
            (
                "autoscaling:CreateLaunchConfiguration",
                build_arn(
                    "autoscaling",
                    "launchConfiguration:{name}:launchConfigurationName/{name}",
                ),
            ),
            (
                "autoscaling:CreateAutoScalingGroup",
                build_arn(
                    "autoscaling", "autoScalingGroup:{name}:autoScalingGroupName/{name}"
                ),
            ),
        ),
        precondition="the account was created before October 2024",
    ),
    build_pass_role_rule(
        EC2,
        "Amazon EC2 User Guide, attach an IAM role to an instance; AWS Systems Manager "
        "User Guide, Session Manager",
        (
            ("ec2:AssociateIamInstanceProfile", _THERE),
            ("ssm:StartSession", _THERE),
        ),
        changed_resource_kind="ec2:instance",
        precondition=_MANAGED,
    ),
    build_pass_role_rule(
        EC2,
        "Amazon EC2 User Guide, attach an IAM role to an instance; AWS Systems Manager "
        "User Guide, Run Command",
        (
            ("ec2:AssociateIamInstanceProfile", _THERE),
            ("ssm:SendCommand", _THERE),
            (
                "ssm:SendCommand",
                "arn:{partition}:ssm:{region}::document/AWS-RunShellScript",
            ),
        ),
        changed_resource_kind="ec2:instance",
        precondition=_MANAGED,
    ),
    build_pass_role_rule(
        EC2,
        "Amazon EMR Management Guide, IAM service roles: the service role for cluster "
        "EC2 instances (EC2 instance profile); pathfinding.cloud emr-001",
        (("elasticmapreduce:RunJobFlow", "*"),),
        precondition="a service role for EMR itself may be passed too",
    ),
    build_pass_role_rule(
        EC2,
        "EC2 Image Builder User Guide, infrastructure configuration: instance profile; "
        "pathfinding.cloud imagebuilder-001",
        (
            (
                "imagebuilder:CreateComponent",
                build_arn("imagebuilder", "component/{name}/1.0.0/1"),
            ),
            (
                "imagebuilder:CreateImageRecipe",
                build_arn("imagebuilder", "image-recipe/{name}/1.0.0"),
            ),
            (
                "imagebuilder:CreateInfrastructureConfiguration",
                build_arn("imagebuilder", "infrastructure-configuration/{name}"),
            ),
            (
                "imagebuilder:CreateImage",
                build_arn("imagebuilder", "image/{name}/1.0.0/1"),
            ),
        ),
    ),
    build_pass_role_rule(
        "pods.eks.amazonaws.com",
        "Amazon EKS User Guide, assign an IAM role to a Kubernetes service account: "
        "EKS Pod Identity associations",
        (("eks:CreatePodIdentityAssociation", _THERE),),
        changed_resource_kind="eks:cluster",
        precondition="a pod of the caller's runs under the service account",
    ),
    build_pass_role_rule(
        _EVENTS,
        "Amazon EventBridge User Guide, IAM roles for sending events to targets",
        (
            ("events:PutRule", _RULE),
            ("events:PutTargets", _RULE),
        ),
        precondition="the call is one that a target of a rule makes",
    ),
    build_pass_role_rule(
        "codepipeline.amazonaws.com",
        "AWS CodePipeline User Guide, Commands action reference: commands run with the "
        "permissions of the pipeline's service role",
        (("codepipeline:CreatePipeline", _PIPELINE),),
    ),
    build_pass_role_rule(
        "codepipeline.amazonaws.com",
        "AWS CodePipeline User Guide, Commands action reference; edit a pipeline",
        (
            ("codepipeline:UpdatePipeline", _THERE),
            ("codepipeline:StartPipelineExecution", _THERE),
        ),
        changed_resource_kind="codepipeline:pipeline",
    ),
    build_pass_role_rule(
        "airflow.amazonaws.com",
        "Amazon MWAA User Guide, execution role: code of workflows runs under it",
        (("airflow:CreateEnvironment", build_arn("airflow", "environment/{name}")),),
    ),
    build_pass_role_rule(
        _SAGEMAKER,
        "Amazon SageMaker Developer Guide, execution role of a Studio domain",
        (
            ("sagemaker:CreateDomain", build_arn("sagemaker", "domain/{name}")),
            ("sagemaker:CreateUserProfile", _PROFILE),
            ("sagemaker:CreatePresignedDomainUrl", _PROFILE),
        ),
    ),
    build_pass_role_rule(
        _SAGEMAKER,
        "Amazon SageMaker Developer Guide, execution role of a Studio user profile",
        (
            ("sagemaker:CreateUserProfile", _PROFILE),
            ("sagemaker:CreatePresignedDomainUrl", _PROFILE),
        ),
        precondition="a Studio domain exists",
    ),
    build_pass_role_rule(
        "ssm.amazonaws.com",
        "AWS Systems Manager User Guide, hybrid activations: a machine of one's own "
        "gets the role's credentials",
        (("ssm:CreateActivation", "*"),),
    ),
    build_pass_role_rule(
        "rolesanywhere.amazonaws.com",
        "IAM Roles Anywhere User Guide, trust anchors and profiles",
        (
            ("rolesanywhere:CreateTrustAnchor", "*"),
            ("rolesanywhere:CreateProfile", "*"),
        ),
    ),
    build_pass_role_rule(
        _AGENTCORE,
        "Amazon Bedrock AgentCore Developer Guide, Set up permissions for AgentCore "
        "Gateway: Smithy targets call AWS APIs under the gateway service role",
        (
            ("bedrock-agentcore:CreateGateway", "*"),
            ("bedrock-agentcore:CreateGatewayTarget", _GATEWAY),
            ("bedrock-agentcore:InvokeGateway", _GATEWAY),
        ),
    ),
    build_pass_role_rule(
        _AGENTCORE,
        "Amazon Bedrock AgentCore Developer Guide, runtime execution role and commands "
        "in a runtime session, which a harness has too; pathfinding.cloud bedrock-003, "
        "bedrock-005",
        (
            ("bedrock-agentcore:CreateAgentRuntime", "*"),
            ("bedrock-agentcore:CreateAgentRuntimeEndpoint", _RUNTIME),
            (
                "bedrock-agentcore:CreateWorkloadIdentity",
                build_arn("bedrock-agentcore", "workload-identity-directory/{name}"),
            ),
            ("bedrock-agentcore:InvokeAgentRuntimeCommand", _RUNTIME),
            (
                "bedrock-agentcore:InvokeAgentRuntimeCommand",
                f"{_RUNTIME}/runtime-endpoint/DEFAULT",
            ),
        ),
    ),
    build_pass_role_rule(
        _AGENTCORE,
        "Amazon Bedrock AgentCore Developer Guide, browser tool: execution role; "
        "pathfinding.cloud bedrock-006",
        (
            ("bedrock-agentcore:CreateBrowser", "*"),
            (
                "bedrock-agentcore:StartBrowserSession",
                build_arn("bedrock-agentcore", "browser-custom/{name}"),
            ),
            ("bedrock-agentcore:ConnectBrowserAutomationStream", "*"),
        ),
    ),
    build_pass_role_rule(
        _COGNITO,
        "Amazon Cognito Developer Guide, IAM roles, role-based access control; Amazon "
        "Cognito Federated Identities API Reference, SetIdentityPoolRoles, GetId (a "
        "public API); pathfinding.cloud cognitoidentity-001",
        (("cognito-identity:SetIdentityPoolRoles", "*"),),
        precondition="an identity pool that gives the caller an identity is there",
    ),
    build_pass_role_rule(
        _COGNITO,
        "Amazon Cognito Federated Identities API Reference, CreateIdentityPool, "
        "SetIdentityPoolRoles, GetId (a public API)",
        (
            ("cognito-identity:CreateIdentityPool", "*"),
            ("cognito-identity:SetIdentityPoolRoles", "*"),
        ),
    ),
    build_pass_role_rule(
        "braket.amazonaws.com",
        "Amazon Braket Developer Guide, Prerequisites of hybrid jobs: execution role; "
        "pathfinding.cloud braket-001",
        (("braket:CreateJob", build_arn("braket", "job/{name}")),),
    ),
    build_pass_role_rule(
        "gamelift.amazonaws.com",
        "Amazon GameLift Servers Developer Guide, Set up an IAM service role; "
        "pathfinding.cloud gamelift-001",
        (
            ("gamelift:CreateBuild", "*"),
            ("gamelift:CreateFleet", "*"),
        ),
    ),
    build_pass_role_rule(
        "kinesisanalytics.amazonaws.com",
        "Managed Service for Apache Flink Developer Guide, execution role; "
        "pathfinding.cloud kinesisanalytics-001",
        (
            ("kinesisanalytics:CreateApplication", "*"),
            (
                "kinesisanalytics:StartApplication",
                build_arn("kinesisanalytics", "application/{name}"),
            ),
        ),
    ),
    build_pass_role_rule(
        "omics.amazonaws.com",
        "AWS HealthOmics User Guide, Service roles for AWS HealthOmics; "
        "pathfinding.cloud omics-001",
        (
            ("omics:CreateWorkflow", "*"),
            ("omics:StartRun", build_arn("omics", "run/{name}")),
            ("omics:StartRun", build_arn("omics", "workflow/{name}")),
        ),
    ),
    build_pass_role_rule(
        "amplify.amazonaws.com",
        "AWS Amplify Hosting User Guide, Adding a service role to an Amplify app; "
        "pathfinding.cloud amplify-001",
        (
            ("amplify:CreateApp", "*"),
            (
                "amplify:CreateBranch",
                build_arn("amplify", "apps/{name}/branches/{name}"),
            ),
            (
                "amplify:StartJob",
                build_arn("amplify", "apps/{name}/branches/{name}/jobs/{name}"),
            ),
        ),
    ),
    build_pass_role_rule(
        "tasks.apprunner.amazonaws.com",
        "AWS App Runner Developer Guide, instance role; service-linked roles; "
        "availability change: closed to new customers; pathfinding.cloud apprunner-001",
        (("apprunner:CreateService", build_arn("apprunner", "service/{name}/{name}")),),
        precondition="the account used App Runner before it closed to new customers",
    ),
)
