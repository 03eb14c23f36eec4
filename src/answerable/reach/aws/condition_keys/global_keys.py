"""List global condition keys and token claims, grouped by who sets their value.

Source: AWS IAM User Guide, "AWS global condition context keys" (its sections are the
headings below) and "IAM and AWS STS condition context keys"; the providers' own pages
for the claims of their tokens.
"""

# Properties of the principal; of a role session; of the resource; of the request.
REQUEST = """
aws: AssumedRoot CalledVia CalledViaAWSMCP CalledViaFirst CalledViaLast ChatbotSourceArn
  CurrentTime Ec2InstanceSourcePrivateIPv4 Ec2InstanceSourceVpc EpochTime
  FederatedProvider MultiFactorAuthAge MultiFactorAuthPresent PrincipalAccount
  PrincipalArn PrincipalIsAWSService PrincipalOrgID PrincipalOrgPaths
  PrincipalServiceName PrincipalServiceNamesList PrincipalType ResourceAccount
  ResourceOrgID ResourceOrgPaths SignInSessionArn SourceAccount SourceArn SourceOrgID
  SourceOrgPaths TokenIssueTime userid username ViaAWSMCPService ViaAWSService
"""
# On no page of the guide, but in AWS's own managed policies.
MANAGED = "aws: IsMcpServiceAction PrincipalOrgMasterAccountId"
# Properties of the network.
NETWORK = """
aws: SecureTransport SourceIp SourceVpc SourceVpcArn SourceVpce VpceAccount VpceOrgID
  VpceOrgPaths VpcSourceIp
"""
ARGUMENTS = "aws: RequestedRegion RequestTag/* TagKeys"
CALLER_CHOSEN = "aws: referer SourceIdentity UserAgent"
PRINCIPAL_TAG = "aws: PrincipalTag/*"
RESOURCE_TAG = "aws: ResourceTag/*"

_JOB = (
    "anyone who can start a job whose token carries it: for a repository anyone who can "
    "push a branch, tag or environment the pattern allows"
)
_SIGNED_IN = "anyone whom the provider signs in and to whom it issues a token"

# (prefix of the provider's name, parties that get a token, source); first match wins.
PROVIDERS: tuple[tuple[str, str, str], ...] = (
    ("token.actions.", _JOB, "GitHub Docs, OpenID Connect reference"),
    ("github.com/enterprises/", _JOB, "GitHub Docs, OpenID Connect reference"),
    (
        "gitlab.com",
        "anyone who can start a pipeline whose token carries it",
        "GitLab Docs, ID token authentication",
    ),
    (
        "agent.",
        "anyone who can start a build whose token carries it",
        "Buildkite Docs, OIDC with Buildkite",
    ),
    (
        "oidc.circleci.com",
        "anyone who can start a job whose token carries it",
        "CircleCI Docs, OpenID Connect tokens",
    ),
    (
        "oidc.eks.",
        "anyone who can run a pod under that service account in the cluster",
        "Amazon EKS User Guide, IAM roles for service accounts",
    ),
    (
        "cognito-identity.amazonaws.com",
        "anyone the identity pool admits; unauthenticated guests if it allows them",
        "Amazon Cognito Developer Guide, IAM roles",
    ),
    ("", _SIGNED_IN, "AWS IAM User Guide, IAM and AWS STS condition context keys"),
)
# The job, or the application, requests the audience from its provider.
REQUESTED_CLAIM_PROVIDERS = (
    "token.actions.",
    "github.com/enterprises/",
    "gitlab.com",
    "agent.",
)
