"""Replacements of static credentials by attested platforms, as data and Terraform.

Sources: GitHub Docs, "Configuring OpenID Connect in Amazon Web Services"; EKS User Guide,
"Learn how EKS Pod Identity grants pods access to AWS services"; Terraform Registry,
providers hashicorp/aws, hashicorp/google and hashicorp/azuread. Passwords of databases:
`database_logins`.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from answerable.model.credential import Credential, CredentialLifetime
from answerable.services.posture.database_logins import describe_database_login

_AWS_KEY = "aws-access-key"
_WORKFLOW = ".github/workflows/"
_POLICY = re.compile(r'resource "aws_iam_policy" "(\w+)"')
_VARIABLE = re.compile(r"\bvar\.(\w+)")
_HEREDOC = re.compile(r"<<-EOT\n.*?\n  EOT\n", re.DOTALL)
# Variables of the Azure SDKs and of Terraform's provider azurerm.
_ENTRA_SECRETS = frozenset(("ARM_CLIENT_SECRET", "AZURE_CLIENT_SECRET"))
_AZURE_AUDIENCE = "api://AzureADTokenExchange"
_GITHUB_ISSUER = "token.actions.githubusercontent.com"


@dataclass(frozen=True, slots=True)
class KeyReplacement:
    """Replacement of a kind of credential at a kind of place.

    Attributes:
        name: As the plan shows it.
        provider: Terraform resources of the platform's side, before the role. `LABEL`
            is the name of the resources of one credential.
        trust: Trust policy of the new AWS role; None for another platform.
        first_step: How the workload gets the new credential, with a command.
        audience: `aud` of the tokens that our token service issues; empty if it issues
            none.
    """

    name: str
    provider: str = ""
    trust: Mapping[str, object] | None = None
    first_step: tuple[str, str] = ("", "")
    audience: str = ""


@dataclass(frozen=True, slots=True)
class ReplacementNames:
    """Names of one replacement.

    Attributes:
        label: Of its Terraform resources.
        account: AWS account of the old credential; empty if it is not known.
        subject: `sub` of the tokens that are trusted.
        issuer: Host of the token service.
    """

    label: str
    account: str
    subject: str
    issuer: str


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
        {"Federated": f"arn:aws:iam::ACCOUNT:oidc-provider/{issuer}"},
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
    _build_web_identity_trust(_GITHUB_ISSUER, "SUBJECT"),
    (
        "Let the workflow sign in with its token: permissions `id-token: write`, and "
        "the role in aws-actions/configure-aws-credentials",
        "",
    ),
)
POD_IDENTITY = KeyReplacement(
    "EKS Pod Identity",
    """resource "aws_eks_pod_identity_association" "LABEL" {
  cluster_name    = var.cluster
  namespace       = var.namespace
  service_account = var.service_account
  role_arn        = aws_iam_role.LABEL.arn
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
    _build_web_identity_trust("ISSUER", "SUBJECT"),
    (
        "Add a trust rule for the workload (rules in answerable.yaml), and check it",
        "answerable token-service test --config answerable.yaml --claims FILE --expect RULE",
    ),
    "sts.amazonaws.com",
)
# A static credential for which no federation is known is listed, too.
NO_PLATFORM = KeyReplacement(
    "no attested platform known",
    first_step=("Keep the value in one secret store, and rotate it", ""),
)
_OTHERS: Mapping[str, KeyReplacement] = {
    "gcp-service-account-key": KeyReplacement(
        "workload identity pool",
        """resource "google_iam_workload_identity_pool_provider" "LABEL" {
  workload_identity_pool_id          = var.pool
  workload_identity_pool_provider_id = "HYPHENATED"
  attribute_mapping                  = { "google.subject" = "assertion.sub" }
  attribute_condition                = "assertion.sub == '${var.subject}'"

  oidc {
    issuer_uri        = "https://${var.issuer}"
    allowed_audiences = ["google-workload-identity"]
  }
}
""",
        None,
        (
            "Write a credential configuration file for the pool",
            "gcloud iam workload-identity-pools create-cred-config",
        ),
        "google-workload-identity",
    ),
    "azure-client-secret": KeyReplacement(
        "federated credential of the application",
        f"""resource "azuread_application_federated_identity_credential" "LABEL" {{
  application_id = var.application
  display_name   = "HYPHENATED"
  audiences      = ["{_AZURE_AUDIENCE}"]
  issuer         = "https://${{var.issuer}}"
  subject        = var.subject
}}
""",
        None,
        ("Set AZURE_FEDERATED_TOKEN_FILE instead of the secret", ""),
        _AZURE_AUDIENCE,
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


def find_replacement(
    sightings: Sequence[Credential], identity: str = ""
) -> KeyReplacement | None:
    """Find the replacement of a static credential; None if it is not one.

    Args:
        identity: Identity that it proves; empty if it is not known.
    """
    if not any(each.lifetime is CredentialLifetime.STATIC for each in sightings):
        return None
    kinds = {each.kind for each in sightings}
    if _AWS_KEY in kinds:
        return _choose_for_aws(sightings)
    if any(each.name.upper() in _ENTRA_SECRETS for each in sightings):
        return _OTHERS["azure-client-secret"]
    for kind in sorted(kinds & _OTHERS.keys()):
        return _OTHERS[kind]
    if login := describe_database_login(identity):
        return KeyReplacement(login.name, first_step=(login.step, login.command))
    return NO_PLATFORM


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


def write_trust_policy(replacement: KeyReplacement, names: ReplacementNames) -> str:
    """Write the trust policy of the new role; empty for another platform."""
    if replacement.trust is None:
        return ""
    return json.dumps(_fill_names(replacement.trust, names), indent=2) + "\n"


def _fill_names(part: object, names: ReplacementNames) -> object:
    """Replace the placeholders of a policy; the names cannot change its structure."""
    if isinstance(part, Mapping):
        return {
            str(_fill_names(key, names)): _fill_names(value, names)
            for key, value in part.items()
        }
    if isinstance(part, list):
        return [_fill_names(each, names) for each in part]
    text = str(part)
    if text == "SUBJECT":
        return names.subject
    return text.replace("ISSUER", names.issuer).replace(
        "ACCOUNT", names.account or "ACCOUNT"
    )


def write_platform_terraform(
    replacement: KeyReplacement,
    names: ReplacementNames,
    trust: str,
    policies: Sequence[str],
) -> str:
    """Write the platform's side as Terraform: variables, provider, role and policies.

    Args:
        trust: Trust policy of the new role; empty for none.
        policies: Policies as Terraform resources.
    """
    hyphenated = names.label.replace("_", "-")
    provider = replacement.provider.replace("LABEL", names.label)
    blocks = [provider.replace("HYPHENATED", hyphenated)]
    if trust:
        attached = [m[1] for text in policies for m in _POLICY.finditer(text)]
        blocks.append(_write_role(names.label, trust, attached))
    blocks += policies
    text = "\n".join(filter(None, blocks))
    known = {"issuer": names.issuer, "subject": names.subject}
    variables = sorted({m[1] for m in _VARIABLE.finditer(_HEREDOC.sub("", text))})
    declared = (_write_variable(name, known.get(name, "")) for name in variables)
    return "\n".join([*declared, text]) if text else ""


def merge_terraform(texts: Iterable[str]) -> str:
    """Join Terraform of several replacements, with each equal block once."""
    blocks = (
        f"{block.strip()}\n}}\n"
        for text in texts
        for block in text.split("\n}\n")
        if block.strip()
    )
    return "\n".join(dict.fromkeys(blocks))


def _write_variable(name: str, value: str) -> str:
    """Write the declaration of a variable."""
    lines = [f'variable "{name}" {{', "  type    = string"]
    if value:
        quoted = json.dumps(value, ensure_ascii=False)
        lines.append(f"  default = {_escape_terraform(quoted)}")
    return "\n".join([*lines, "}", ""])


def _escape_terraform(text: str) -> str:
    """Double the marks that begin an expression in a string or heredoc."""
    return text.replace("${", "$${").replace("%{", "%%{")


def _write_role(label: str, trust: str, policies: Sequence[str]) -> str:
    """Write the new role and the attachment of its policies.

    Args:
        trust: Trust policy.
        policies: Names of Terraform resources of type `aws_iam_policy`.
    """
    name = label.replace("_", "-")
    lines = [f'resource "aws_iam_role" "{label}" {{', f'  name = "{name}"', ""]
    lines += ["  assume_role_policy = <<-EOT"]
    escaped = _escape_terraform(trust.rstrip("\n"))
    lines += [f"    {line}" for line in escaped.splitlines()]
    lines += ["  EOT", "}"]
    for number, policy in enumerate(policies):
        lines += [
            "",
            f'resource "aws_iam_role_policy_attachment" "{label}_{number}" {{',
            f"  role       = aws_iam_role.{label}.name",
            f"  policy_arn = aws_iam_policy.{policy}.arn",
            "}",
        ]
    return "\n".join([*lines, ""])


def write_trust_rule(
    replacement: KeyReplacement, names: ReplacementNames, uid: int | None
) -> str:
    """Write the rule of our token service for the workload; empty if it needs none.

    AWS, Google and Entra take bearer tokens alone.

    Args:
        uid: User that the workload runs as; None if it is not known.
    """
    if not replacement.audience or uid is None:
        return ""
    rule: dict[str, object] = {
        "id": names.label.replace("_", "-"),
        "unix": {"uid": uid},
        "agent": names.subject,
        "grants": [{"audience": replacement.audience, "ttl": "5m", "bind": "bearer"}],
    }
    if uid == 0:
        rule["root"] = True
    return json.dumps({"rules": [rule]}, indent=2) + "\n"
