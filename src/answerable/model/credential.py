"""Types of credentials and the identities they prove, without any secret value."""

from dataclasses import dataclass
from enum import StrEnum

from answerable.model.ids import CredentialId, IdentityId
from answerable.model.provenance import FactProvenance


class CredentialClass(StrEnum):
    """Form in which a configuration states a credential: literal, reference, ..."""

    LITERAL = "literal"
    ENV_REF = "env-ref"
    FILE_REF = "file-ref"
    KEYCHAIN = "keychain/input-ref"
    OAUTH = "oauth"
    AMBIENT = "ambient"
    RECORD = "record"  # the platform's own list of it: no value lies there


class CredentialLifetime(StrEnum):
    """Lifetime class of a credential."""

    STATIC = "static"
    SHORT_LIVED = "short-lived"
    FEDERATED = "federated"
    AMBIENT = "ambient"
    UNKNOWN = "unknown"


_PLATFORMS = (
    ("aws", ("aws-", "sso-")),
    ("gcp", ("gcloud-",)),
    ("kubernetes", ("kubeconfig",)),
    ("github", ("github-",)),
    ("azure", ("azure-",)),
)


# Variables with keys of model providers: they pay for a model, and prove no identity that
# a tool acts as. https://docs.litellm.ai/docs/set_keys
MODEL_KEYS = frozenset(
    str.split(
        "ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN AZURE_OPENAI_API_KEY COHERE_API_KEY "
        "DEEPSEEK_API_KEY FIREWORKS_API_KEY GEMINI_API_KEY GROQ_API_KEY MISTRAL_API_KEY "
        "OPENAI_API_KEY OPENROUTER_API_KEY PERPLEXITY_API_KEY TOGETHER_API_KEY "
        "VOYAGE_API_KEY XAI_API_KEY"
    )
)


def get_platform_of_default_credential(kind: str) -> str:
    """Return the platform whose default credential chain has this kind."""
    for platform, prefixes in _PLATFORMS:
        if kind.startswith(prefixes):
            return platform
    return ""


@dataclass(frozen=True, slots=True)
class Credential:
    """Sighting of a credential at one place.

    A credential at two places has two sightings with one id.

    Attributes:
        id: `cred:aws/AKIA...`, `cred:k8s/CLUSTER/...` by the object that holds it, or
            `cred:fp/HEX`: a keyed fingerprint of the value, or of (scope, class, name)
            where the value is not readable.
        kind: `aws-access-key`, `aws-session`, `aws-profile`, `bearer-token`,
            `api-key`, `password`, `dsn`, `private-key`, `oauth-token`, `kubeconfig`,
            `gcloud-adc`, `github-token`, `npm-token`, `docker-auth`, `netrc`,
            `ssh-agent`, `github-oidc` ...
        cls: Form in which the place states it.
        lifetime: Static, short-lived, federated, ambient or unknown.
        name: Variable, header or file name that holds it; never the value.
        place: File path with a pointer.
        scope: Host account it lies under (`home:/home/ana`), empty where none.
        hint: At most the last four characters of a literal, else empty.
        account: Account number where it is known offline, else empty.
        status: `active`, `inactive` or empty where not collected.
        created_at: UTC nanoseconds, 0 where not collected.
        expires_at: UTC nanoseconds, 0 where none or not collected.
        last_used_at: UTC nanoseconds, 0 where not collected.
        explicit_only: True for an ambient credential that a program must name (a
            profile that is not `default`, a context that is not current); the
            provider's default chain skips it.
    """

    id: CredentialId
    kind: str
    cls: CredentialClass
    lifetime: CredentialLifetime
    name: str
    place: str
    scope: str
    hint: str
    account: str
    status: str
    created_at: int
    expires_at: int
    last_used_at: int
    seen: FactProvenance
    explicit_only: bool = False


@dataclass(frozen=True, slots=True)
class CredentialLink:
    """Link from a credential to the identity that it proves.

    Attributes:
        identity: The identity it proves.
        how: `list-access-keys`, `profile-role`, `trail`, `federated-trust` ...
    """

    credential: CredentialId
    identity: IdentityId
    how: str
    seen: FactProvenance
