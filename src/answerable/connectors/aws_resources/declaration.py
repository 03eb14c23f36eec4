"""Declare the AWS resource connector: name, location, coverage and permissions."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

POLICIES = "resource-policies"
PUBLIC_ACCESS = "public-access-block"
TAGS = "resource-tags"
ACCESS_POINTS = "s3-access-points"
GRANTS = "kms-grants"
RUNNING = "running-code"
AGENTS = "platform-agents"

WHO_AM_I = "sts:GetCallerIdentity"  # every caller may ask

# In the order in which a live scan asks.
PERMISSIONS = (
    "s3:ListAllMyBuckets",
    "s3:GetBucketPolicy",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketTagging",
    "s3:GetAccountPublicAccessBlock",
    "s3:ListAccessPoints",
    "s3:GetAccessPoint",
    "s3:GetAccessPointPolicy",
    "kms:ListKeys",
    "kms:GetKeyPolicy",
    "kms:ListGrants",
    "sns:ListTopics",
    "sns:GetTopicAttributes",
    "sqs:ListQueues",
    "sqs:GetQueueAttributes",
    "lambda:ListFunctions",
    "lambda:GetPolicy",
    "secretsmanager:ListSecrets",
    "secretsmanager:GetResourcePolicy",
    "ecr:DescribeRepositories",
    "ecr:GetRepositoryPolicy",
    "tag:GetResources",
    "ec2:DescribeInstances",
    "iam:ListInstanceProfiles",
    "ecs:ListTaskDefinitions",
    "ecs:DescribeTaskDefinition",
    "ecs:ListClusters",
    "ecs:ListTasks",
    "ecs:DescribeTasks",
    "ec2:DescribeLaunchTemplates",
    "ec2:DescribeLaunchTemplateVersions",
    "bedrock:ListAgents",
    "bedrock:GetAgent",
    "bedrock:ListAgentCollaborators",
    "bedrock-agentcore:ListAgentRuntimes",
    "bedrock-agentcore:GetAgentRuntime",
    "bedrock-agentcore:ListGateways",
    "bedrock-agentcore:GetGateway",
)

DECLARATION = ConnectorDeclaration(
    name="aws-resources",
    gives="inventory",
    location="FILE (live if empty)",
    about="policies, public-access blocks and tags of resources, identities that code "
    "runs as, and agents on Bedrock and AgentCore",
    written_by=WrittenBy.PLATFORM,
    reads=(
        "FILE: output of the AWS CLI, combined as docs/aws.md shows",
        WHO_AM_I,
        *PERMISSIONS,
    ),
    permissions=PERMISSIONS,
    collects=(POLICIES, PUBLIC_ACCESS, TAGS, ACCESS_POINTS, GRANTS, RUNNING, AGENTS),
)
