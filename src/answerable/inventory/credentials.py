"""Join sightings of each credential, and find the identity that it proves."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from answerable.model.credential import Credential, CredentialClass, CredentialLink
from answerable.model.ids import CredentialId, IdentityId, decode_access_key_account
from answerable.model.inventory import CredentialEntity

NOT_COLLECTED = "principal not collected"
PROFILE = "aws-profile"

# A statement of the platform about the key takes precedence over a file.
_TRUSTED = ("list-access-keys", "trail", "federated-trust", "profile-role")
_SIGHTING_ORDER = (
    CredentialClass.LITERAL,
    CredentialClass.FILE_REF,
    CredentialClass.AMBIENT,
    CredentialClass.ENV_REF,
    CredentialClass.OAUTH,
    CredentialClass.KEYCHAIN,
    CredentialClass.RECORD,
)


def join_credential_sightings(
    sightings: Sequence[Credential], links: Sequence[CredentialLink]
) -> Mapping[CredentialId, CredentialEntity]:
    """Join all places where a credential was seen, and the identity it proves.

    Args:
        sightings: One per credential and place.
        links: Statements that a credential proves an identity.
    """
    seen: dict[CredentialId, list[Credential]] = defaultdict(list)
    for sighting in sightings:
        seen[sighting.id].append(sighting)
    linked: dict[CredentialId, list[CredentialLink]] = defaultdict(list)
    for link in links:
        linked[link.credential].append(link)
    found = {
        key: _build_credential_entity(key, seen.get(key, []), linked.get(key, []))
        for key in sorted(seen.keys() | linked.keys())
    }
    return _resolve_aws_profile_references(found)


def _resolve_aws_profile_references(
    entities: dict[CredentialId, CredentialEntity],
) -> Mapping[CredentialId, CredentialEntity]:
    """Replace references to AWS profiles by the profile's key."""
    keys: dict[tuple[str, str], set[IdentityId | None]] = defaultdict(set)
    for entity in entities.values():
        for sighting in entity.sightings:
            if sighting.cls is CredentialClass.AMBIENT and _is_aws_access_key(sighting):
                keys[sighting.scope, sighting.name].add(entity.identity)
    for key, entity in entities.items():
        if entity.identity is None:
            named = [s for s in entity.sightings if _is_aws_profile_reference(s)]
            given = {i for s in named for i in keys.get((s.scope, s.name), ())}
            identity = given.pop() if len(given) == 1 else None
            if identity is not None and len(named) == len(entity.sightings):
                entities[key] = replace(entity, identity=identity, how="named-login")
    return entities


def _is_aws_access_key(sighting: Credential) -> bool:
    """Return whether a sighting is of an AWS access key or session key."""
    return sighting.kind in ("aws-access-key", "aws-session")


def _is_aws_profile_reference(sighting: Credential) -> bool:
    """Return whether a sighting is a file's reference to an AWS profile."""
    return sighting.kind == PROFILE and sighting.cls is CredentialClass.FILE_REF


def _build_credential_entity(
    key: CredentialId, sightings: list[Credential], links: list[CredentialLink]
) -> CredentialEntity:
    """Build a credential's entity with its best identity link, if any."""
    sightings.sort(key=_get_sighting_sort_key)
    if links:
        best = min(links, key=_get_identity_link_sort_key)
        return CredentialEntity(key, tuple(sightings), best.identity, best.how)
    return CredentialEntity(
        key, tuple(sightings), None, _explain_missing_identity(key, sightings)
    )


def _get_sighting_sort_key(sighting: Credential) -> tuple[int, str, str]:
    """Return a sort key: the most direct kind of sighting first, then by place."""
    return (_SIGHTING_ORDER.index(sighting.cls), sighting.place, sighting.name)


def _get_identity_link_sort_key(link: CredentialLink) -> tuple[bool, int, int, str]:
    """Return a sort key: believed, trusted and newer links come first."""
    known = link.how in _TRUSTED
    rank = _TRUSTED.index(link.how) if known else len(_TRUSTED)
    believed = link.seen.written_by.is_trusted_author
    return (not believed, rank, -link.seen.at, link.identity)


def _explain_missing_identity(
    key: CredentialId, sightings: Sequence[Credential]
) -> str:
    """Explain why a credential's identity is not known."""
    bare = key.removeprefix("cred:aws/")
    account = decode_access_key_account(bare) if bare != key else None
    account = account or next((s.account for s in sightings if s.account), None)
    return f"account {account}, {NOT_COLLECTED}" if account else NOT_COLLECTED
