"""Logins selected by a server entry, by name or file, and their resolution.

`--profile NAME` selects an AWS profile and `--context NAME` a kubectl context. Other
programs have flags of these names too, so one counts if the home has the name or the
entry mentions that platform.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from answerable.connectors.formats.command_line import SELECTIONS
from answerable.connectors.formats.credential_detection import Found
from answerable.connectors.formats.credential_name import words_of
from answerable.connectors.formats.google_credential_file import read_google_file
from answerable.connectors.formats.mcp_server_entry import McpServer
from answerable.connectors.formats.sighting_context import Frame, sight_credential
from answerable.model.credential import Credential, CredentialClass, CredentialLink
from answerable.model.errors import ParseError
from answerable.model.identity import Identity
from answerable.model.ids import CredentialId

_SPEAKS_OF = {
    "aws-profile": frozenset(("aws", "awslabs", "amazon", "bedrock")),
    "kubeconfig": frozenset(("kube", "kubectl", "kubernetes", "k8s", "helm", "eks")),
}


@dataclass(frozen=True, slots=True, repr=False)
class NamedFile:
    """Content of a file named by a configuration."""

    place: str
    data: bytes

    def __repr__(self) -> str:
        return f"NamedFile({self.place!r})"


# Given the configuration's place and the name it gives; None when it may not be read.
ReadNamedFile = Callable[[str, str], NamedFile | None]


@dataclass(slots=True)
class Behind:
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


def chosen_logins(server: McpServer, frame: Frame) -> tuple[Found, ...]:
    """Find the profiles and contexts selected on an entry's command line."""
    found = []
    for selection in server.selections:
        kind = SELECTIONS[selection.name.lower()]
        known = frame.profiles if kind == "aws-profile" else frame.contexts
        words = {*words_of(server.target), *words_of(server.name)}
        if selection.value in known or words & _SPEAKS_OF[kind]:
            found.append(
                Found(
                    f"--{selection.name}",
                    selection.pointer,
                    CredentialClass.FILE_REF,
                    kind,
                    selection.value,
                )
            )
    return tuple(found)


def behind_reference(
    item: Found,
    reference: Credential,
    place: str,
    frame: Frame,
    read: ReadNamedFile,
) -> Behind:
    """Resolve a reference to an AWS profile, a kubectl context or a Google file.

    Args:
        item: The reference as found.
        reference: Credential of the reference.
        place: The configuration that names it.
        frame: Context shared by all sightings.
        read: Reads the file.
    """
    out = Behind()
    if item.cls is not CredentialClass.FILE_REF:
        return out
    login: CredentialId | None = None
    if item.kind == "aws-profile":
        login = frame.profile_keys.get(item.value)
    elif item.kind == "kubeconfig":
        login = frame.contexts.get(item.value)
    elif item.kind == "gcloud-adc":
        file = read(place, item.value)
        return out if file is None else _google_file(reference, file, frame)
    if login is not None:
        out.ids.append(login)
        if login in frame.proves:
            seen = frame.seen(reference.place)
            identity = frame.proves[login]
            out.links.append(
                CredentialLink(reference.id, identity, "named-login", seen)
            )
    return out


def _google_file(reference: Credential, file: NamedFile, frame: Frame) -> Behind:
    """Read the file behind `GOOGLE_APPLICATION_CREDENTIALS`."""
    out = Behind()
    try:
        read = read_google_file(file.data, file.place)
    except ParseError:
        return out
    if read.secret is not None:
        found = Found(
            read.account or read.secret.name,
            read.secret.pointer,
            CredentialClass.LITERAL,
            "gcloud-adc",
            read.secret.value,
        )
        credential = sight_credential(found, file.place, frame)
        out.credentials.append(credential)
        out.ids.append(credential.id)
    if read.identity is not None:
        seen = frame.seen(file.place)
        identity = read.identity.sighting(seen)
        out.identities.append(identity)
        out.links += [
            CredentialLink(key, identity.id, "service-account-key", seen)
            for key in (reference.id, *out.ids)
        ]
    return out
