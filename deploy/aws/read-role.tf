# Read-only role that `answerable scan aws-org:` assumes in each account.

variable "role_name" {
  type    = string
  default = "AnswerableRead"
}

variable "scanner_account" {
  type        = string
  description = "Number of the account whose identity scans."
}

variable "scanner_principal" {
  type        = string
  description = "ARN of the role or user that scans; * is allowed."
}

data "aws_partition" "current" {}

resource "aws_iam_role" "read" {
  name                 = var.role_name
  description          = "Read by answerable; changes nothing."
  max_session_duration = 3600
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { AWS = "arn:${data.aws_partition.current.partition}:iam::${var.scanner_account}:root" }
      Action    = "sts:AssumeRole"
      Condition = { ArnLike = { "aws:PrincipalArn" = var.scanner_principal } }
    }]
  })
}

resource "aws_iam_role_policy" "read" {
  name = "AnswerableRead"
  role = aws_iam_role.read.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid    = "AnswerableRead"
      Effect = "Allow"
      Action = [
        "bedrock-agentcore:GetAgentRuntime",
        "bedrock-agentcore:GetGateway",
        "bedrock-agentcore:ListAgentRuntimes",
        "bedrock-agentcore:ListGateways",
        "bedrock:GetAgent",
        "bedrock:ListAgentCollaborators",
        "bedrock:ListAgents",
        "ec2:DescribeInstances",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:DescribeLaunchTemplates",
        "ec2:DescribeRegions",
        "ecr:DescribeRepositories",
        "ecr:GetRepositoryPolicy",
        "ecs:DescribeTaskDefinition",
        "ecs:DescribeTasks",
        "ecs:ListClusters",
        "ecs:ListTaskDefinitions",
        "ecs:ListTasks",
        "iam:GetAccessKeyLastUsed",
        "iam:GetAccountAuthorizationDetails",
        "iam:ListAccessKeys",
        "iam:ListAccountAliases",
        "iam:ListInstanceProfiles",
        "kms:GetKeyPolicy",
        "kms:ListGrants",
        "kms:ListKeys",
        "lambda:GetPolicy",
        "lambda:ListFunctions",
        "s3:GetAccessPoint",
        "s3:GetAccessPointPolicy",
        "s3:GetAccountPublicAccessBlock",
        "s3:GetBucketPolicy",
        "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketTagging",
        "s3:ListAccessPoints",
        "s3:ListAllMyBuckets",
        "secretsmanager:GetResourcePolicy",
        "secretsmanager:ListSecrets",
        "sns:GetTopicAttributes",
        "sns:ListTopics",
        "sqs:GetQueueAttributes",
        "sqs:ListQueues",
        "tag:GetResources",
      ]
      Resource = "*"
    }]
  })
}

output "role_arn" {
  value = aws_iam_role.read.arn
}
