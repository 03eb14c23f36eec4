"""Credentials of stored logins that an MCP server entry selects by name or file.

`--profile NAME` selects an AWS profile and `--context NAME` a kubectl context. Other
programs have flags of these names too, so one counts if the home has the name or the
entry mentions that platform.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from answerable.connectors.formats.command_line import LOGIN_SELECTING_FLAGS
from answerable.connectors.formats.credential_locations import FoundCredential
from answerable.connectors.formats.credential_name import split_words
from answerable.connectors.formats.found_credential_facts import (
    SightingContext,
    build_credential,
)
from answerable.connectors.formats.google_credential_file import parse_google_file
from answerable.connectors.formats.mcp_server_entry import McpServerEntry
from answerable.model.credential import Credential, CredentialClass, CredentialLink
from answerable.model.errors import ParseError
from answerable.model.identity import Identity
from answerable.model.ids import CredentialId

_PLATFORM_WORDS = {
    "aws-profile": frozenset(("aws", "awslabs", "amazon", "bedrock")),
    "kubeconfig": frozenset(("kube", "kubectl", "kubernetes", "k8s", "helm", "eks")),
}


@dataclass(frozen=True, slots=True, repr=False)
class ReferencedFile:
    """Content of a file named by a configuration."""

    place: str
    data: bytes

    def __repr__(self) -> str:
        return f"NamedFile({self.place!r})"


# Given the configuration's place and the name it gives; None when it may not be read.
ReferencedFileReader = Callable[[str, str], ReferencedFile | None]


@dataclass(slots=True)
class ResolvedReference:
    """Resolved login or credential file of a reference.

    Attributes:
        ids: Additional credentials.
        credentials: Credentials in the file.
        links: Links to their identities.
        identities: Their identities.
    """

    ids: list[CredentialId] = field(default_factory=list)
    credentials: list[Credential] = field(default_factory=list)
    links: list[CredentialLink] = field(default_factory=list)
    identities: list[Identity] = field(default_factory=list)


def find_selected_logins(
    server: McpServerEntry, context: SightingContext
) -> tuple[FoundCredential, ...]:
    """Find the profiles and contexts selected on an entry's command line."""
    found = []
    for selection in server.selections:
        kind = LOGIN_SELECTING_FLAGS[selection.name.lower()]
        known = context.profiles if kind == "aws-profile" else context.contexts
        words = {*split_words(server.target), *split_words(server.name)}
        if selection.value in known or words & _PLATFORM_WORDS[kind]:
            found.append(
                FoundCredential(
                    f"--{selection.name}",
                    selection.pointer,
                    CredentialClass.FILE_REF,
                    kind,
                    selection.value,
                )
            )
    return tuple(found)


def resolve_login_reference(
    item: FoundCredential,
    reference: Credential,
    place: str,
    context: SightingContext,
    read_file: ReferencedFileReader,
) -> ResolvedReference:
    """Resolve a reference to an AWS profile, a kubectl context or a Google file.

    Args:
        item: The reference as found.
        reference: Credential of the reference.
        place: The configuration that names it.
        context: Context shared by all sightings.
        read_file: Reads the file.
    """
    out = ResolvedReference()
    if item.cls is not CredentialClass.FILE_REF:
        return out
    login: CredentialId | None = None
    if item.kind == "aws-profile":
        login = context.profile_keys.get(item.value)
    elif item.kind == "kubeconfig":
        login = context.contexts.get(item.value)
    elif item.kind == "gcloud-adc":
        file = read_file(place, item.value)
        return (
            out
            if file is None
            else _resolve_google_credential_file(reference, file, context)
        )
    if login is not None:
        out.ids.append(login)
        if login in context.proves:
            seen = context.get_provenance(reference.place)
            identity = context.proves[login]
            out.links.append(
                CredentialLink(reference.id, identity, "named-login", seen)
            )
    return out


def _resolve_google_credential_file(
    reference: Credential, file: ReferencedFile, context: SightingContext
) -> ResolvedReference:
    """Read the file behind `GOOGLE_APPLICATION_CREDENTIALS`."""
    out = ResolvedReference()
    try:
        read = parse_google_file(file.data, file.place)
    except ParseError:
        return out
    if read.secret is not None:
        found = FoundCredential(
            read.account or read.secret.name,
            read.secret.pointer,
            CredentialClass.LITERAL,
            "gcloud-adc",
            read.secret.value,
        )
        credential = build_credential(found, file.place, context)
        out.credentials.append(credential)
        out.ids.append(credential.id)
    if read.identity is not None:
        seen = context.get_provenance(file.place)
        identity = read.identity.to_identity(seen)
        out.identities.append(identity)
        out.links += [
            CredentialLink(key, identity.id, "service-account-key", seen)
            for key in (reference.id, *out.ids)
        ]
    return out
