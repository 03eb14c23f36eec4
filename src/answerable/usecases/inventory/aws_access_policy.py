"""Render the IAM permissions that live AWS scans need: policy, StackSet, Terraform.

Each form is built from the permissions that the connectors declare, so none can ask
for more or less than a scan calls. The files in `deploy/aws/` are its output.

Sources: AWS CloudFormation User Guide, "AWS::IAM::Role"; Terraform AWS provider,
"aws_iam_role"; IAM User Guide, "AWS global condition context keys", `aws:PrincipalArn`.
"""

import json
from collections.abc import Sequence

from answerable.connectors.aws.declaration import DECLARATION as AWS
from answerable.connectors.aws_org import declaration as organization
from answerable.connectors.aws_resources.declaration import DECLARATION as RESOURCES
from answerable.model.errors import UsageError

FORMS = ("iam", "cloudformation", "terraform")
_VERSION = "2012-10-17"
_LIVE = (AWS.name, RESOURCES.name, organization.DECLARATION.name)
_NAME = organization.DEFAULT_ROLE

_CLOUDFORMATION = """\
AWSTemplateFormatVersion: "2010-09-09"
Description: Read-only role that `answerable scan aws-org:` assumes in each account.
Parameters:
  RoleName:
    Type: String
    Default: {name}
  ScannerAccount:
    Type: String
    Description: Number of the account whose identity scans.
    AllowedPattern: "[0-9]{{12}}"
  ScannerPrincipal:
    Type: String
    Description: >-
      ARN of the role or user that scans; * is allowed, as in
      arn:aws:iam::111111111111:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_Audit_*
    AllowedPattern: "arn:aws[a-z-]*:iam::[0-9]{{12}}:(role|user)/.+"
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Ref RoleName
      Description: Read by answerable; changes nothing.
      MaxSessionDuration: 3600
      AssumeRolePolicyDocument:
        Version: "{version}"
        Statement:
          - Effect: Allow
            Principal:
              AWS: !Sub "arn:${{AWS::Partition}}:iam::${{ScannerAccount}}:root"
            Action: sts:AssumeRole
            Condition:
              ArnLike:
                aws:PrincipalArn: !Ref ScannerPrincipal
      Policies:
        - PolicyName: {name}
          PolicyDocument:
            Version: "{version}"
            Statement:
              - Sid: {sid}
                Effect: Allow
                Action:
{actions}
                Resource: "*"
Outputs:
  RoleArn:
    Value: !GetAtt Role.Arn
"""

_TERRAFORM = """\
# Read-only role that `answerable scan aws-org:` assumes in each account.

variable "role_name" {{
  type    = string
  default = "{name}"
}}

variable "scanner_account" {{
  type        = string
  description = "Number of the account whose identity scans."
}}

variable "scanner_principal" {{
  type        = string
  description = "ARN of the role or user that scans; * is allowed."
}}

data "aws_partition" "current" {{}}

resource "aws_iam_role" "read" {{
  name                 = var.role_name
  description          = "Read by answerable; changes nothing."
  max_session_duration = 3600
  assume_role_policy = jsonencode({{
    Version = "{version}"
    Statement = [{{
      Effect    = "Allow"
      Principal = {{ AWS = "arn:${{data.aws_partition.current.partition}}:iam::${{var.scanner_account}}:root" }}
      Action    = "sts:AssumeRole"
      Condition = {{ ArnLike = {{ "aws:PrincipalArn" = var.scanner_principal }} }}
    }}]
  }})
}}

resource "aws_iam_role_policy" "read" {{
  name = "{name}"
  role = aws_iam_role.read.id
  policy = jsonencode({{
    Version = "{version}"
    Statement = [{{
      Sid    = "{sid}"
      Effect = "Allow"
      Action = [
{actions}
      ]
      Resource = "*"
    }}]
  }})
}}

output "role_arn" {{
  value = aws_iam_role.read.arn
}}
"""


def list_account_actions() -> tuple[str, ...]:
    """List the permissions of the role in each account, sorted."""
    found = (*AWS.permissions, *RESOURCES.permissions, *organization.IN_EACH_ACCOUNT)
    return tuple(sorted(set(found)))


def render_access_policy(output_format: str, source_names: Sequence[str]) -> str:
    """Render an IAM policy, template or module with what the named sources call.

    Args:
        output_format: One of `FORMS`. `iam` is a policy for the scanning identity; the others
            create the role in each account of an organization.
        source_names: Sources, `aws`, `aws-resources` or `aws-org`.

    Raises:
        UsageError: A source is not an AWS source, or has no role of its own.
    """
    others = [name for name in source_names if name not in _LIVE]
    if others or not source_names:
        raise UsageError(
            f"--policy requires live AWS sources (got {', '.join(others) or 'none'})",
            "name a live source: answerable where --policy iam aws-org:",
        )
    if output_format == "iam":
        return _build_iam_policy(source_names)
    if organization.DECLARATION.name not in source_names:
        raise UsageError(
            f"--policy {output_format} requires aws-org: (got "
            f"{', '.join(source_names)})",
            f"run: answerable where --policy {output_format} aws-org:",
        )
    template, indent = (
        (_CLOUDFORMATION, "                  - {}")
        if output_format == "cloudformation"
        else (_TERRAFORM, '        "{}",')
    )
    actions = "\n".join(indent.format(action) for action in list_account_actions())
    return template.format(
        name=_NAME, version=_VERSION, sid="AnswerableRead", actions=actions
    )


def _build_iam_policy(source_names: Sequence[str]) -> str:
    """Write the IAM policy of the scanning identity."""
    actions: set[str] = set()
    statements = []
    if AWS.name in source_names:
        actions |= set(AWS.permissions)
    if RESOURCES.name in source_names:
        actions |= set(RESOURCES.permissions)
    if organization.DECLARATION.name in source_names:
        actions |= set(list_account_actions()) | set(
            organization.DECLARATION.permissions
        )
        statements.append(
            {
                "Sid": "AnswerableAssume",
                "Effect": "Allow",
                "Action": organization.ASSUME,
                "Resource": f"arn:aws:iam::*:role/{_NAME}",
            }
        )
    read = {
        "Sid": "AnswerableRead",
        "Effect": "Allow",
        "Action": sorted(actions),
        "Resource": "*",
    }
    document = {"Version": _VERSION, "Statement": [read, *statements]}
    return json.dumps(document, indent=2) + "\n"
