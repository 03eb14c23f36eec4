"""Replacements of static credentials by attested platforms, as data and Terraform.

Sources: GitHub Docs, "Configuring OpenID Connect in Amazon Web Services"; EKS User Guide,
"Learn how EKS Pod Identity grants pods access to AWS services"; Terraform Registry,
providers hashicorp/aws, hashicorp/google and hashicorp/azuread.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from answerable.model.credential import Credential, CredentialLifetime

_AWS_KEY = "aws-access-key"
_WORKFLOW = ".github/workflows/"
_GITHUB_ISSUER = "token.actions.githubusercontent.com"


@dataclass(frozen=True, slots=True)
class KeyReplacement:
    """Replacement of a kind of credential at a kind of place.

    Attributes:
        name: As the plan shows it.
        provider: Terraform resources of the platform's side, before the role.
        trust: Trust policy of the new AWS role; None for another platform.
        first_step: How the workload gets the new credential, with a command.
    """

    name: str
    provider: str = ""
    trust: Mapping[str, object] | None = None
    first_step: tuple[str, str] = ("", "")


def _build_trust(
    principal: Mapping[str, str], actions: Sequence[str], conditions: object = None
) -> Mapping[str, object]:
    """Build a trust policy with one statement."""
    statement: dict[str, object] = {
        "Effect": "Allow",
        "Principal": dict(principal),
        "Action": actions[0] if len(actions) == 1 else list(actions),
    }
    if conditions is not None:
        statement["Condition"] = conditions
    return {"Version": "2012-10-17", "Statement": [statement]}


def _build_web_identity_trust(issuer: str, subject: str) -> Mapping[str, object]:
    """Build the trust policy for the tokens of one subject of an OIDC issuer."""
    return _build_trust(
        {"Federated": f"arn:aws:iam::${{account}}:oidc-provider/{issuer}"},
        ["sts:AssumeRoleWithWebIdentity"],
        {
            "StringEquals": {
                f"{issuer}:aud": "sts.amazonaws.com",
                f"{issuer}:sub": subject,
            }
        },
    )


GITHUB_OIDC = KeyReplacement(
    "OIDC of GitHub Actions",
    f"""resource "aws_iam_openid_connect_provider" "github" {{
  url            = "https://{_GITHUB_ISSUER}"
  client_id_list = ["sts.amazonaws.com"]
}}
""",
    _build_web_identity_trust(_GITHUB_ISSUER, "${subject}"),
    (
        "Let the workflow sign in with its token: permissions `id-token: write`, and "
        "the role in aws-actions/configure-aws-credentials",
        "",
    ),
)
POD_IDENTITY = KeyReplacement(
    "EKS Pod Identity",
    """resource "aws_eks_pod_identity_association" "agent" {
  cluster_name    = var.cluster
  namespace       = var.namespace
  service_account = var.service_account
  role_arn        = aws_iam_role.agent.arn
}
""",
    _build_trust(
        {"Service": "pods.eks.amazonaws.com"}, ["sts:AssumeRole", "sts:TagSession"]
    ),
    ("Remove the key from the pod's environment and restart it", ""),
)
LAPTOP_LOGIN = KeyReplacement(
    "sign-in of the person (IAM Identity Center or aws login)",
    first_step=("Sign in instead of using the key", "aws sso login"),
)
TOKEN_SERVICE = KeyReplacement(
    "the token service of answerable, as an OIDC provider",
    """resource "aws_iam_openid_connect_provider" "token_service" {
  url            = "https://${var.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}
""",
    _build_web_identity_trust("${issuer}", "${subject}"),
    (
        "Add a trust rule for the workload (rules in answerable.yaml), and check it",
        "answerable token-service test --config answerable.yaml --claims FILE --expect RULE",
    ),
)
_OTHERS: Mapping[str, KeyReplacement] = {
    "gcp-service-account-key": KeyReplacement(
        "workload identity pool",
        """resource "google_iam_workload_identity_pool_provider" "agent" {
  workload_identity_pool_id          = var.pool
  workload_identity_pool_provider_id = "agent"
  attribute_mapping                  = { "google.subject" = "assertion.sub" }
  attribute_condition                = "assertion.sub == '${var.subject}'"

  oidc { issuer_uri = "https://${var.issuer}" }
}
""",
        None,
        (
            "Write a credential configuration file for the pool",
            "gcloud iam workload-identity-pools create-cred-config",
        ),
    ),
    "azure-client-secret": KeyReplacement(
        "federated credential of the application",
        """resource "azuread_application_federated_identity_credential" "agent" {
  application_id = var.application
  display_name   = "agent"
  audiences      = ["api://AzureADTokenExchange"]
  issuer         = "https://${var.issuer}"
  subject        = var.subject
}
""",
        None,
        ("Set AZURE_FEDERATED_TOKEN_FILE instead of the secret", ""),
    ),
    "github-token": KeyReplacement(
        "installation token of a GitHub App",
        first_step=("Install an app with the repositories and permissions needed", ""),
    ),
    "kubeconfig": KeyReplacement(
        "exec plugin with short-lived tokens (TokenRequest)",
        first_step=("Replace the token in the kubeconfig by an exec plugin", ""),
    ),
}


def find_replacement(sightings: Sequence[Credential]) -> KeyReplacement | None:
    """Find the replacement of a static credential; None if it is not one."""
    if not any(each.lifetime is CredentialLifetime.STATIC for each in sightings):
        return None
    kinds = {each.kind for each in sightings}
    if _AWS_KEY in kinds:
        return _choose_for_aws(sightings)
    return next((_OTHERS[kind] for kind in sorted(kinds) if kind in _OTHERS), None)


def _choose_for_aws(sightings: Sequence[Credential]) -> KeyReplacement:
    """Choose by the place where an AWS key was seen; the most specific first."""
    sources = {each.seen.source.partition(":")[0] for each in sightings}
    if "github" in sources or any(_WORKFLOW in each.place for each in sightings):
        return GITHUB_OIDC
    if "k8s" in sources:
        return POD_IDENTITY
    if any(each.scope.startswith("home:") for each in sightings):
        return LAPTOP_LOGIN
    return TOKEN_SERVICE


def write_trust_policy(
    replacement: KeyReplacement, account: str, subject: str, issuer: str
) -> str:
    """Write the trust policy of the new role; empty for another platform."""
    if replacement.trust is None:
        return ""
    text = json.dumps(replacement.trust, indent=2)
    values = {"account": account, "subject": subject, "issuer": issuer}
    for name, value in values.items():
        text = text.replace("${" + name + "}", value)
    return text + "\n"


def write_role(trust: str, policies: Sequence[str]) -> str:
    """Write the new role and the attachment of its policies as Terraform.

    Args:
        trust: Trust policy.
        policies: Names of Terraform resources of type `aws_iam_policy`.
    """
    lines = ['resource "aws_iam_role" "agent" {', '  name = "agent"', ""]
    lines += ["  assume_role_policy = <<-EOT"]
    escaped = trust.rstrip("\n").replace("${", "$${")
    lines += [f"    {line}" for line in escaped.splitlines()]
    lines += ["  EOT", "}"]
    for number, name in enumerate(policies):
        lines += [
            "",
            f'resource "aws_iam_role_policy_attachment" "agent_{number}" {{',
            "  role       = aws_iam_role.agent.name",
            f"  policy_arn = aws_iam_policy.{name}.arn",
            "}",
        ]
    return "\n".join([*lines, ""])
