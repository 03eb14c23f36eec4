"""Turn credential files that every process of a person can use into credentials."""

from dataclasses import dataclass, field

from answerable.connectors.formats.found_credential_facts import (
    SightingContext,
    join_file_and_pointer,
    last_four_characters,
    make_reference_id,
)
from answerable.connectors.formats.platform_identity import PlatformIdentity
from answerable.connectors.formats.redaction import redact_name
from answerable.model.credential import (
    Credential,
    CredentialClass,
    CredentialLifetime,
    CredentialLink,
)
from answerable.model.identity import Identity
from answerable.model.ids import (
    CredentialId,
    IdentityId,
    build_aws_credential_id,
    build_fingerprint_credential_id,
    decode_access_key_account,
    is_access_key_id,
)


@dataclass(frozen=True, slots=True)
class AmbientFileSource:
    """Source of ambient sightings: a file and the shared context."""

    place: str
    context: SightingContext

    def build_credential(
        self,
        kind: str,
        name: str,
        *,
        pointer: str = "",
        value: str = "",
        lifetime: CredentialLifetime = CredentialLifetime.STATIC,
        account: str = "",
        credential_id: CredentialId | None = None,
    ) -> Credential:
        """Build a credential that every process of the person can use.

        Args:
            kind: Credential kind.
            name: Profile, host, context or file with it.
            pointer: Place in the file.
            value: The secret if readable; only its fingerprint and hint are kept.
            lifetime: Lifetime class.
            account: Its account, if stated in the file.
            credential_id: Its id, unless derived from the value's fingerprint.
        """
        identifier = credential_id or self._build_credential_id(kind, name, value)
        if is_access_key_id(value):
            account = decode_access_key_account(value) or account
        place = join_file_and_pointer(self.place, pointer)
        return Credential(
            id=identifier,
            kind=kind,
            cls=CredentialClass.AMBIENT,
            lifetime=lifetime,
            name=redact_name(name),
            place=place,
            scope=self.context.scope,
            hint=last_four_characters(value),
            account=account,
            status="",
            created_at=0,
            expires_at=0,
            last_used_at=0,
            seen=self.context.get_provenance(place),
        )

    def build_identity_link(
        self, credential: CredentialId, identity: IdentityId, link_source: str
    ) -> CredentialLink:
        """Build the fact that a credential authenticates as an identity."""
        return CredentialLink(
            credential, identity, link_source, self.context.get_provenance(self.place)
        )

    def _build_credential_id(self, kind: str, name: str, value: str) -> CredentialId:
        """Return an id from the key id, the fingerprint or the name."""
        if is_access_key_id(value):
            return build_aws_credential_id(value)
        if value:
            return build_fingerprint_credential_id(self.context.fingerprint(value))
        text = f"{self.context.login_files}{kind}:{name}"
        return make_reference_id(self.context, CredentialClass.AMBIENT, text)


@dataclass(slots=True)
class AwsProfile:
    """AWS profile, merged from both files.

    Attributes:
        settings: Merged settings.
        source: The file that enables its provider, else the first that names it.
        keys: Static keys, those of the credentials file first.
        shared: True if a key is in the credentials file.
    """

    settings: dict[str, str]
    source: AmbientFileSource
    keys: list[Credential] = field(default_factory=list)
    shared: bool = False


@dataclass(slots=True)
class AmbientFacts:
    """Joined facts of the ambient files of one home.

    Attributes:
        links: Links from credentials to identities, as stated in files.
        identities: Identities named by these files alone.
        profiles: AWS profiles by name.
        sso_sessions: Start URL of each `[sso-session NAME]`.
        profile_keys: AWS profile -> id of the static key it gives.
        contexts: kubectl context -> id of its credential.
        gcloud_configuration: Active gcloud configuration.
        azure_account: Account of the default Azure subscription, empty for none.
        handles: Account names of this person in other systems.
    """

    credentials: list[Credential] = field(default_factory=list)
    links: list[CredentialLink] = field(default_factory=list)
    identities: list[Identity] = field(default_factory=list)
    profiles: dict[str, AwsProfile] = field(default_factory=dict)
    sso_sessions: dict[str, str] = field(default_factory=dict)
    profile_keys: dict[str, CredentialId] = field(default_factory=dict)
    contexts: dict[str, CredentialId] = field(default_factory=dict)
    gcloud_configuration: str = "default"
    azure_account: str = ""
    handles: list[str] = field(default_factory=list)

    def add_identity_link(
        self,
        credential: Credential,
        identity: PlatformIdentity,
        link_source: str,
        source: AmbientFileSource,
    ) -> None:
        """Add an identity and the link from its credential."""
        found = identity.to_identity(credential.seen)
        self.links.append(
            source.build_identity_link(credential.id, found.id, link_source)
        )
        if found not in self.identities:
            self.identities.append(found)
