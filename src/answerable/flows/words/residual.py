"""Revocation of each kind of credential, and the access that remains after it.

What is written here is what its platform documents, not what we measured; where
neither is known, that is said. A kill of ours ends what our own gateway and token
service gave within a second, and ends nothing elsewhere.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Residual:
    """Revocation of a credential, and its residual access.

    Attributes:
        end: What ends it.
        lives: What may live on, and how long at most.
        beside: What else is hit, empty for nothing.
        known: `documented` by its platform, or `not known`.
    """

    end: str
    lives: str
    beside: str = ""
    known: str = "documented"


_BY_KIND = {
    "aws-access-key": Residual(
        "iam:UpdateAccessKey to Inactive, or iam:DeleteAccessKey",
        "IAM is eventually consistent and names no bound; sessions that were made with "
        "the key live until they end, 36 hours at most",
        "every place and every program that uses this key",
    ),
    "aws-session": Residual(
        "it ends by itself; before that only a deny in the role's policy on "
        "aws:TokenIssueTime",
        "12 hours at most for a role, 36 hours for a user's own session",
        "the deny hits every session of that role issued before it",
    ),
    "aws-profile": Residual(
        "end the key or the session that the profile names",
        "as that one does",
        "every program that uses this profile",
    ),
    "github-oidc": Residual(
        "take the workflow out of the trust rule of the role",
        "the token itself minutes; a session made with it until it ends, an hour where "
        "nothing else was asked for",
        "every workflow that the trust rule fits",
    ),
    "github-token": Residual(
        "revoke it in GitHub, or uninstall the app that it is of",
        "an installation's token an hour; one of a workflow until its job ends; a "
        "personal one nothing once it is revoked",
        "every program that uses this token",
    ),
    "kubeconfig": Residual(
        "delete the service account or its secret; a client certificate cannot be "
        "revoked",
        "a certificate until its own end, unless the cluster's authority is replaced; a "
        "bound token until its pod or account is gone",
        "every pod of that service account",
    ),
    "gcloud-adc": Residual(
        "revoke the refresh token or disable the account",
        "an access token that was given, an hour at most",
        "every program that uses this login",
    ),
    "oauth-token": Residual(
        "revoke it where it was given",
        "an access token until it ends, where the resource does not ask back",
        "every program that uses this grant",
    ),
    "private-key": Residual(
        "take its public half out of every place that trusts it",
        "connections that stand, until they are cut",
        "every place that trusts this key",
    ),
    "ssh-agent": Residual(
        "remove the key from the agent, and its public half where it is trusted",
        "connections that stand, until they are cut",
        "every program that reaches the agent's socket",
    ),
    "dsn": Residual(
        "change the password or drop the login in the database",
        "connections that stand, until they are cut",
        "every program with the same login",
    ),
}
_BY_KIND["password"] = _BY_KIND["dsn"]
_OTHER = Residual(
    "revoke it where it was given",
    "not known for this kind: ask whoever gave it",
    "every place and every program that uses it",
    "not known",
)


def residual(kind: str) -> Residual:
    """Return the revocation effect for a kind of credential."""
    return _BY_KIND.get(kind, _OTHER)
