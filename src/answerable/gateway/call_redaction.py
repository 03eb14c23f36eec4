"""Redact argument and result values of a call before the call is recorded."""

from dataclasses import replace

import msgspec

from answerable.connectors.formats.secret_formats import contains_credential
from answerable.model.behaviour import ArgumentValue
from answerable.model.spool_record import CallBehaviour
from answerable.server.mcp.call import sha256_hex


def redact_secrets(behaviour: CallBehaviour) -> CallBehaviour:
    """Replace values that look like credentials by their digests."""
    values = behaviour.seen.values
    if not any(map(_is_credential, values)):
        return behaviour
    secrets = [each for each in values if _is_credential(each)]
    hidden = {each.text: f"sha256:{sha256_hex(each.text)}" for each in secrets}
    kept = tuple(
        replace(each, text=hidden.get(each.text, each.text)) for each in values
    )
    seen = replace(behaviour.seen, values=kept)
    return msgspec.structs.replace(drop_values(behaviour), seen=seen)


def drop_values(behaviour: CallBehaviour) -> CallBehaviour:
    """Drop the values of a call and keep their types."""
    values = tuple(replace(each, text="", origins=()) for each in behaviour.seen.values)
    findings = tuple(
        replace(each, expected=(), observed="", origin=None, sentence="")
        for each in behaviour.findings
    )
    seen = replace(behaviour.seen, values=values)
    return msgspec.structs.replace(behaviour, seen=seen, findings=findings)


def _is_credential(value: ArgumentValue) -> bool:
    """Return whether a text looks like a credential."""
    return contains_credential(value.text)
