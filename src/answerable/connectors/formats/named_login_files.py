"""Read login files (kubeconfig, AWS) that a server entry's environment names.

`KUBECONFIG` names kubeconfig files (Kubernetes, "Organizing Cluster Access Using
kubeconfig Files"), `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE` the two files of
profiles (AWS SDKs and Tools Reference Guide, "Location of the shared config and
credentials files"). Without a named context or profile, their default applies.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from answerable.connectors.formats.ambient_credentials import (
    AmbientFacts,
    AmbientFileSource,
)
from answerable.connectors.formats.aws_profiles import (
    build_profile_credentials,
    parse_aws_profiles,
)
from answerable.connectors.formats.document_parser import decode_text
from answerable.connectors.formats.found_credential_facts import SightingContext
from answerable.connectors.formats.kubeconfig import parse_kubeconfig
from answerable.connectors.formats.selected_logins import (
    ReferencedFile,
    ReferencedFileReader,
)
from answerable.model.credential import get_platform_of_default_credential
from answerable.model.errors import ParseError
from answerable.model.ids import CredentialId

KUBECONFIG = "KUBECONFIG"
CONFIG, SHARED = "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"
_OWN = {CONFIG: "~/.aws/config", SHARED: "~/.aws/credentials"}
_FILES_LIMIT = 20


@dataclass(slots=True)
class NamedLogins:
    """Logins in the files named by an entry.

    Attributes:
        context: Context in which profile and context names refer to these files.
        ambient: Facts of the files; each login must be named.
        defaults: Credentials of the default profile and context.
        platforms: Platforms with named files.
    """

    context: SightingContext
    ambient: AmbientFacts = field(default_factory=AmbientFacts)
    defaults: list[CredentialId] = field(default_factory=list)
    platforms: set[str] = field(default_factory=set)

    def list_defaults_except(self, selected_platforms: set[str]) -> list[CredentialId]:
        """Return the defaults of platforms without a named login."""
        kinds = {
            each.id: get_platform_of_default_credential(each.kind)
            for each in self.ambient.credentials
        }
        return [each for each in self.defaults if kinds[each] not in selected_platforms]


def read_login_files(
    variables: Mapping[str, str],
    config: str,
    context: SightingContext,
    read_file: ReferencedFileReader,
) -> NamedLogins | None:
    """Read the login files that an entry names; None for none.

    Args:
        variables: Paths by variable, for the three variables.
        config: Configuration with the entry.
        context: Context shared by all sightings.
        read_file: Reads a named file.
    """
    if not variables:
        return None
    label = "".join(f"{name}={value}\x1f" for name, value in sorted(variables.items()))
    labelled = replace(context, login_files=label)
    found = NamedLogins(labelled)
    if KUBECONFIG in variables:
        paths = _split_path_list(variables[KUBECONFIG])[:_FILES_LIMIT]
        _read_kubeconfigs([read_file(config, path) for path in paths], found)
    if variables.keys() & _OWN.keys():
        files = {
            name: read_file(config, variables.get(name, _OWN[name])) for name in _OWN
        }
        _read_aws_files(files, found)
    every = found.ambient.credentials
    found.defaults = [each.id for each in every if not each.explicit_only]
    found.ambient.credentials = [replace(each, explicit_only=True) for each in every]
    found.context = _build_context_with_logins(labelled, found)
    return found


def _split_path_list(text: str) -> Sequence[str]:
    """Split a list of paths at `:`, on Windows at `;`."""
    if ";" in text or re.fullmatch(r"[A-Za-z]:[\\/].*", text):
        return [part for part in text.split(";") if part]
    return [part for part in text.split(":") if part]


def _read_kubeconfigs(
    files: Sequence[ReferencedFile | None], logins: NamedLogins
) -> None:
    """Read kubeconfig files; the first one with a current context sets it."""
    logins.platforms.add("kubernetes")
    for file in files:
        if file is None:
            continue
        one = AmbientFacts()
        try:
            parse_kubeconfig(
                file.data, AmbientFileSource(file.place, logins.context), one
            )
        except ParseError:
            continue
        known = any(not each.explicit_only for each in logins.ambient.credentials)
        logins.ambient.credentials += [
            replace(each, explicit_only=each.explicit_only or known)
            for each in one.credentials
        ]
        logins.ambient.links += one.links
        logins.ambient.identities += one.identities
        logins.ambient.contexts = {**one.contexts, **logins.ambient.contexts}


def _read_aws_files(
    files: Mapping[str, ReferencedFile | None], logins: NamedLogins
) -> None:
    """Read the AWS credentials and config files."""
    logins.platforms.add("aws")
    one = AmbientFacts()
    for name in (SHARED, CONFIG):
        file = files[name]
        if file is None:
            continue
        try:
            text = decode_text(file.data, file.place)
        except ParseError:
            continue
        source = AmbientFileSource(file.place, logins.context)
        parse_aws_profiles(text, source, one, shared=name == SHARED)
    build_profile_credentials(one)
    logins.ambient.credentials += one.credentials
    logins.ambient.links += one.links
    logins.ambient.identities += one.identities
    logins.ambient.profiles = one.profiles
    logins.ambient.profile_keys = one.profile_keys


def _build_context_with_logins(
    context: SightingContext, logins: NamedLogins
) -> SightingContext:
    """Return a context in which login names refer to these files."""
    ambient = logins.ambient
    proves = {link.credential: link.identity for link in ambient.links}
    if "aws" in logins.platforms:
        context = replace(
            context,
            profiles=frozenset(ambient.profiles),
            profile_keys=ambient.profile_keys,
        )
    if "kubernetes" in logins.platforms:
        context = replace(context, contexts=ambient.contexts)
    return replace(context, proves={**context.proves, **proves})
