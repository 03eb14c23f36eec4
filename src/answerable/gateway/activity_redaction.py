"""Redact argument and result values of a call before the call is recorded."""

from dataclasses import replace

import msgspec

from answerable.connectors.formats.secret_shapes import contains_credential
from answerable.model.behaviour import ArgumentValue
from answerable.model.spool_record import CallBehaviour
from answerable.server.mcp.call import sha256_hex


def redact_secrets(acted: CallBehaviour) -> CallBehaviour:
    """Replace values that look like credentials by their digests."""
    values = acted.seen.values
    if not any(map(_is_credential, values)):
        return acted
    secrets = [each for each in values if _is_credential(each)]
    hidden = {each.text: f"sha256:{sha256_hex(each.text)}" for each in secrets}
    kept = tuple(
        replace(each, text=hidden.get(each.text, each.text)) for each in values
    )
    seen = replace(acted.seen, values=kept)
    return msgspec.structs.replace(drop_values(acted), seen=seen)


def drop_values(acted: CallBehaviour) -> CallBehaviour:
    """Drop the values of a call and keep their types."""
    values = tuple(replace(each, text="", origins=()) for each in acted.seen.values)
    findings = tuple(
        replace(each, expected=(), observed="", origin=None, sentence="")
        for each in acted.findings
    )
    seen = replace(acted.seen, values=values)
    return msgspec.structs.replace(acted, seen=seen, findings=findings)


def _is_credential(value: ArgumentValue) -> bool:
    """Tell whether a text looks like a credential."""
    return contains_credential(value.text)
