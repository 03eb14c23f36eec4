"""`~/.aws/config` and `~/.aws/credentials`: profiles, their keys and their roles.

Source: AWS CLI User Guide, "Configuration and credential file settings". A profile is
`[NAME]` in the credentials file and `[profile NAME]` (or `[default]`) in the other.
"""

import re

from answerable.connectors.formats.ini import Setting, parse_ini, sections
from answerable.connectors.formats.sighting_frame import profile_id
from answerable.connectors.home.parse.ambient import Ambient, Source
from answerable.model.credential import Lifetime
from answerable.model.errors import IdError
from answerable.model.ids import Arn, is_access_key_id

PROFILES_LIMIT = 2_000
_ACCOUNT = re.compile(r"[0-9]{12}")
_Profile = dict[str, Setting]


def parse_aws_profiles(text: str, source: Source, into: Ambient) -> None:
    """Read either of the two files."""
    for section, settings in list(sections(parse_ini(text)).items())[:PROFILES_LIMIT]:
        name = section.removeprefix("profile ").strip()
        if not name or section.startswith(("sso-session ", "services ")):
            continue
        _profile(name, settings, source, into)


def _profile(name: str, settings: _Profile, source: Source, into: Ambient) -> None:
    _static_key(name, settings, source, into)
    lifetime = _lifetime(settings)
    if lifetime is None:
        return
    role = _role(settings)
    pointer = f"/{name}"
    profile = source.credential(
        "aws-profile",
        name,
        pointer=pointer,
        lifetime=lifetime,
        account=role.account if role else _sso_account(settings),
        given_id=profile_id(source.frame, name),
    )
    into.credentials.append(profile)
    if role is not None:
        into.links.append(source.link(profile.id, str(role), "profile-role"))


def _static_key(name: str, settings: _Profile, source: Source, into: Ambient) -> None:
    key = settings.get("aws_access_key_id")
    if key is None or not is_access_key_id(key.value):
        return
    short = key.value.startswith("ASIA")
    credential = source.credential(
        "aws-session" if short else "aws-access-key",
        name,
        pointer=f"/{name}/aws_access_key_id",
        value=key.value,
        lifetime=Lifetime.SHORT_LIVED if short else Lifetime.STATIC,
    )
    into.credentials.append(credential)
    into.profile_keys[name] = credential.id


def _lifetime(settings: _Profile) -> Lifetime | None:
    """Say how long what a profile obtains lives; None where it obtains nothing."""
    if "web_identity_token_file" in settings:
        return Lifetime.FEDERATED
    obtains = (
        "role_arn",
        "sso_session",
        "sso_start_url",
        "credential_process",
        "login_session",
    )
    return Lifetime.SHORT_LIVED if any(map(settings.__contains__, obtains)) else None


def _role(settings: _Profile) -> Arn | None:
    stated = settings.get("role_arn")
    if stated is None:
        return None
    try:
        arn = Arn.parse(stated.value)
    except IdError:
        return None
    return arn if arn.service == "iam" and len(stated.value) < 2_048 else None


def _sso_account(settings: _Profile) -> str:
    account = settings.get("sso_account_id")
    return account.value if account and _ACCOUNT.fullmatch(account.value) else ""
