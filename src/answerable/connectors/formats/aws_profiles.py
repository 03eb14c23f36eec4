"""Parse `~/.aws/config` and `~/.aws/credentials` into profiles, keys and roles.

Source: AWS CLI User Guide, "Configuration and credential file settings". A profile is
`[NAME]` in the credentials file and `[profile NAME]` (or `[default]`) in the other;
if both set a value, the credentials file wins.

A program gets the first available provider of a profile, in the order of
https://docs.aws.amazon.com/boto3/latest/guide/credentials.html: assume role, web
identity, IAM Identity Center, keys of the credentials file, console login,
`credential_process`, keys of the config file. With no profile named it is `default`.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import replace

from answerable.connectors.formats.ambient_credentials import (
    AmbientFacts,
    AmbientFileSource,
    AwsProfile,
)
from answerable.connectors.formats.aws_api_responses import parse_timestamp_ns
from answerable.connectors.formats.document_parser import DocumentFormat, parse_document
from answerable.connectors.formats.found_credential_facts import make_profile_id
from answerable.connectors.formats.ini_parser import group_by_section, parse_ini
from answerable.connectors.formats.platform_identity import (
    PlatformIdentity,
    build_aws_process_identity,
    build_aws_role_identity,
    build_aws_sso_identity,
    build_permission_set_identity,
)
from answerable.model.credential import Credential, CredentialLifetime
from answerable.model.ids import is_access_key_id

PROFILES_LIMIT = 2_000
DEFAULT_PROFILE = "default"
_ACCOUNT = re.compile(r"[0-9]{12}")
# Providers that a profile's settings turn on, before and after keys in the
# credentials file, with how long lives what they obtain.
_BEFORE_KEYS: tuple[tuple[str, CredentialLifetime], ...] = (
    ("web_identity_token_file", CredentialLifetime.FEDERATED),
    ("role_arn", CredentialLifetime.SHORT_LIVED),
    ("sso_session", CredentialLifetime.SHORT_LIVED),
    ("sso_start_url", CredentialLifetime.SHORT_LIVED),
)
_AFTER_KEYS: tuple[tuple[str, CredentialLifetime], ...] = (
    ("login_session", CredentialLifetime.SHORT_LIVED),
    ("credential_process", CredentialLifetime.SHORT_LIVED),
)


def parse_aws_profiles(
    text: str, source: AmbientFileSource, facts: AmbientFacts, *, shared: bool
) -> None:
    """Parse one of the two files into profiles; builds no facts yet.

    Args:
        text: The file.
        source: Source of the file.
        facts: Target of the profiles.
        shared: Whether it is the credentials file.
    """
    for section, read in list(group_by_section(parse_ini(text)).items())[
        :PROFILES_LIMIT
    ]:
        name = section.removeprefix("profile ").strip()
        if section.startswith("sso-session "):
            name = section.removeprefix("sso-session ").strip()
            url = read.get("sso_start_url")
            facts.sso_sessions[name] = url.value if url else ""
            continue
        if not name or section.startswith("services "):
            continue
        settings = {key: setting.value for key, setting in read.items()}
        profile = facts.profiles.get(name)
        if profile is None:
            profile = facts.profiles[name] = AwsProfile({}, source)
        if _find_credential_provider(settings) is not None:
            profile.source = source
        profile.settings = {**settings, **profile.settings}
        key = _build_static_key(name, settings, source)
        if key is not None:
            profile.keys.append(key)
            profile.shared = profile.shared or shared


def build_profile_credentials(facts: AmbientFacts) -> None:
    """Build the credentials of all profiles; only `default` is implicit."""
    for name, profile in facts.profiles.items():
        provider = _find_credential_provider(profile.settings)
        late = dict(_AFTER_KEYS)
        key_first = bool(profile.keys) and (
            provider is None or (profile.shared and provider[0] in late)
        )
        is_default = name == DEFAULT_PROFILE
        for number, key in enumerate(profile.keys):
            chosen = is_default and key_first and number == 0
            facts.credentials.append(replace(key, explicit_only=not chosen))
        if key_first:
            facts.profile_keys[name] = profile.keys[0].id
        if provider is not None:
            chosen = is_default and not key_first
            _build_derived_profile(
                name, profile, provider[1], active=chosen, facts=facts
            )


def parse_sso_cache(
    data: bytes, source: AmbientFileSource, facts: AmbientFacts
) -> None:
    """Parse a cached sign-in (AWS CLI, `~/.aws/sso/cache/*.json`).

    A client registration (no `accessToken`) proves no identity and is skipped.
    """
    root = parse_document(data, DocumentFormat.JSON, source.place).root
    token, url = root.text_at("accessToken"), root.text_at("startUrl")
    if not token:
        return
    identity = build_aws_sso_identity(url) if url else None
    credential = source.build_credential(
        "sso-token",
        identity.name if identity else source.place.rpartition("/")[2],
        pointer="/accessToken",
        value=token,
        lifetime=CredentialLifetime.SHORT_LIVED,
    )
    credential = replace(
        credential,
        explicit_only=True,
        # Old releases of the CLI wrote `UTC` for `Z`.
        expires_at=parse_timestamp_ns(root.text_at("expiresAt").replace("UTC", "Z")),
    )
    facts.credentials.append(credential)
    if identity is not None:
        facts.add_identity_link(credential, identity, "sso-token", source)


def _build_derived_profile(
    name: str,
    profile: AwsProfile,
    lifetime: CredentialLifetime,
    *,
    active: bool,
    facts: AmbientFacts,
) -> None:
    """Build the credential of a profile that obtains it elsewhere."""
    source = profile.source
    identity, how = _identity_of_profile(name, profile.settings, source)
    credential = source.build_credential(
        "aws-profile",
        name,
        pointer=f"/{name}",
        lifetime=lifetime,
        account=identity.account
        if identity
        else _find_profile_account(profile.settings),
        credential_id=make_profile_id(source.context, name),
    )
    facts.credentials.append(replace(credential, explicit_only=not active))
    if identity is not None:
        facts.add_identity_link(credential, identity, how, source)


def _identity_of_profile(
    name: str, settings: Mapping[str, str], source: AmbientFileSource
) -> tuple[PlatformIdentity | None, str]:
    """Return the role or user that an AWS CLI profile acts as, and how known."""
    role = build_aws_role_identity(settings.get("role_arn", ""))
    if "role_arn" in settings:
        return role, "profile-role"
    account, set_name = (
        _find_profile_account(settings),
        settings.get("sso_role_name", ""),
    )
    if account and set_name:
        return build_permission_set_identity(
            account, set_name
        ), "profile-permission-set"
    if "sso_session" in settings or "sso_start_url" in settings:
        return None, ""
    command = settings.get("credential_process", "")
    if command:
        role = _find_role_in_command(command)
        login = source.context.login
        return role or build_aws_process_identity(login, name), "credential-process"
    return None, ""


def _find_role_in_command(command: str) -> PlatformIdentity | None:
    """Find the role in a command (`aws_signing_helper ... --role-arn ARN`)."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    for word in words:
        role = build_aws_role_identity(word.partition("=")[2] or word)
        if role is not None:
            return role
    return None


def _find_credential_provider(
    settings: Mapping[str, str],
) -> tuple[str, CredentialLifetime] | None:
    """Return the provider enabled by a profile, other than static keys."""
    for name, lifetime in (*_BEFORE_KEYS, *_AFTER_KEYS):
        if name in settings:
            return name, lifetime
    return None


def _build_static_key(
    name: str, settings: Mapping[str, str], source: AmbientFileSource
) -> Credential | None:
    """Build the credential of a profile's static or session key, or None."""
    value = settings.get("aws_access_key_id", "")
    if not is_access_key_id(value):
        return None
    short = value.startswith("ASIA")
    return source.build_credential(
        "aws-session" if short else "aws-access-key",
        name,
        pointer=f"/{name}/aws_access_key_id",
        value=value,
        lifetime=CredentialLifetime.SHORT_LIVED if short else CredentialLifetime.STATIC,
    )


def _find_profile_account(settings: Mapping[str, str]) -> str:
    """Return the account that a profile states, empty for none."""
    account = settings.get("sso_account_id", "")
    return account if _ACCOUNT.fullmatch(account) else ""
