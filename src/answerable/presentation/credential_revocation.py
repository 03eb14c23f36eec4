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
        "IAM is eventually consistent and names no bound; sessions that were made with "
        "the key live until they end, 36 hours at most",
        "every place and every program that uses this key",
    ),
    "aws-session": RevocationEffect(
        "it ends by itself; before that only a deny in the role's policy on "
        "aws:TokenIssueTime",
        "12 hours at most for a role, 36 hours for a user's own session",
        "the deny hits every session of that role issued before it",
    ),
    "aws-profile": RevocationEffect(
        "end the key or the session that the profile names",
        "as that one does",
        "every program that uses this profile",
    ),
    "github-oidc": RevocationEffect(
        "take the workflow out of the trust rule of the role",
        "the token itself minutes; a session made with it until it ends, an hour where "
        "nothing else was asked for",
        "every workflow that the trust rule fits",
    ),
    "github-token": RevocationEffect(
        "revoke it in GitHub, or uninstall the app that it is of",
        "an installation's token an hour; one of a workflow until its job ends; a "
        "personal one nothing once it is revoked",
        "every program that uses this token",
    ),
    "kubeconfig": RevocationEffect(
        "delete the service account or its secret; a client certificate cannot be "
        "revoked",
        "a certificate until its own end, unless the cluster's authority is replaced; a "
        "bound token until its pod or account is gone",
        "every pod of that service account",
    ),
    "gcloud-adc": RevocationEffect(
        "revoke the refresh token or disable the account",
        "an access token that was given, an hour at most",
        "every program that uses this login",
    ),
    "oauth-token": RevocationEffect(
        "revoke it where it was given",
        "an access token until it ends, where the resource does not ask back",
        "every program that uses this grant",
    ),
    "private-key": RevocationEffect(
        "take its public half out of every place that trusts it",
        "open connections, until they are closed",
        "every place that trusts this key",
    ),
    "ssh-agent": RevocationEffect(
        "remove the key from the agent, and its public half where it is trusted",
        "open connections, until they are closed",
        "every program that reaches the agent's socket",
    ),
    "dsn": RevocationEffect(
        "change the password or drop the login in the database",
        "open connections, until they are closed",
        "every program with the same login",
    ),
}
_BY_KIND["password"] = _BY_KIND["dsn"]
_UNKNOWN_KIND = RevocationEffect(
    "revoke it where it was given",
    "not known for this kind: ask its issuer",
    "every place and every program that uses it",
    "not known",
)


def revocation_effect(kind: str) -> RevocationEffect:
    """Return how a kind of credential is revoked, and the access that remains."""
    return _BY_KIND.get(kind, _UNKNOWN_KIND)
