"""Describe how to revoke each kind of credential, and the access that remains.

The texts repeat the documentation of the platform, not our measurements; where it says
nothing, the text says "not known". A revocation here takes effect at our own gateway
and token service within a second, and nowhere else.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RevocationEffect:
    """Revocation of a credential, and its residual access.

    Attributes:
        lives: Remaining access, and its longest duration.
        beside: Other affected credentials, empty for none.
        known: `documented` by its platform, or `not known`.
    """

    end: str
    lives: str
    beside: str = ""
    known: str = "documented"


_BY_KIND = {
    "aws-access-key": RevocationEffect(
        "iam:UpdateAccessKey to Inactive, or iam:DeleteAccessKey",
        "IAM is eventually consistent without a stated bound; sessions created "
        "with the key stay valid until they expire, at most 36 hours",
        "all places and programs that use this key",
    ),
    "aws-session": RevocationEffect(
        "it expires by itself; earlier, only a deny on aws:TokenIssueTime in the "
        "role's policy revokes it",
        "at most 12 hours for a role, 36 hours for a user's own session",
        "the deny applies to all sessions of the role issued before it",
    ),
    "aws-profile": RevocationEffect(
        "revoke the key or the session that the profile names",
        "as described for that key or session",
        "all programs that use this profile",
    ),
    "github-oidc": RevocationEffect(
        "remove the workflow from the role's trust policy",
        "minutes for the token; a session created with it until it expires, one "
        "hour by default",
        "all workflows that match the trust policy",
    ),
    "github-token": RevocationEffect(
        "revoke it in GitHub, or uninstall the app that owns it",
        "an installation token for one hour, a workflow token until its job ends; a "
        "personal token ends at once",
        "all programs that use this token",
    ),
    "kubeconfig": RevocationEffect(
        "delete the service account or its secret; a client certificate cannot be "
        "revoked",
        "until expiry for a certificate, unless the cluster's CA is replaced; "
        "until its pod or account is deleted for a bound token",
        "all pods of that service account",
    ),
    "gcloud-adc": RevocationEffect(
        "revoke the refresh token or disable the account",
        "issued access tokens, at most one hour",
        "all programs that use this login",
    ),
    "oauth-token": RevocationEffect(
        "revoke it at its issuer",
        "access tokens until they expire, if the resource does not introspect them",
        "all programs that use this grant",
    ),
    "private-key": RevocationEffect(
        "remove its public key from all places that trust it",
        "open connections until they are closed",
        "all places that trust this key",
    ),
    "ssh-agent": RevocationEffect(
        "remove the key from the SSH agent, and its public key where it is trusted",
        "open connections until they are closed",
        "all programs that can open the agent's socket",
    ),
    "dsn": RevocationEffect(
        "change the password or drop the login in the database",
        "open connections until they are closed",
        "all programs with the same login",
    ),
}
_BY_KIND["password"] = _BY_KIND["dsn"]
_UNKNOWN_KIND = RevocationEffect(
    "revoke it at its issuer",
    "not known for this kind; ask the issuer",
    "all places and programs that use it",
    "not known",
)


def revocation_effect(kind: str) -> RevocationEffect:
    """Return how a kind of credential is revoked, and the access that remains."""
    return _BY_KIND.get(kind, _UNKNOWN_KIND)
