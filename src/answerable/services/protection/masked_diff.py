"""Diff of a file that `protect` changes, with the secrets of both versions masked.

Values are masked by their position in the parsed file: each value below a key such as
`env`, and each value that holds a moved secret or resembles a secret. Only changed lines
are shown, since comments are not parsed.
"""

import difflib
from collections.abc import Iterator, Sequence

from answerable.connectors.formats.document_node import RawValue
from answerable.connectors.formats.document_parser import (
    DocumentFormat,
    parse_document,
)
from answerable.connectors.formats.redaction import redact_url, redact_word
from answerable.connectors.formats.secrets_in_text import mask_named_secrets
from answerable.connectors.formats.span_tree import SpanNode, scan_spans
from answerable.model.errors import ParseError
from answerable.services.protection.protection_plan import FileChange

MASK = "***"
_SECRET_KEYS = frozenset(
    ("env", "envs", "environment", "headers", "http_headers", "requestinit", "auth")
)
_OURS = "{answerable:"  # reference to a moved secret
_COMMENTS = ("#", "//", "/*")  # a comment is no value, and may name a secret
_LINE_LIMIT = 400
_FORMATS = {
    ".toml": DocumentFormat.TOML,
    ".yaml": DocumentFormat.YAML,
    ".yml": DocumentFormat.YAML,
}


def diff_change(change: FileChange, secrets: Sequence[str]) -> Iterator[str]:
    """Yield the changed lines of a file, with `-` and `+`; none if it has no parser.

    Args:
        change: Change of the file.
        secrets: Values that must not be shown.
    """
    form = _FORMATS.get(change.path.suffix, DocumentFormat.JSON)
    try:
        before, after = (
            _mask_text(data, form, secrets).splitlines() if data.strip() else []
            for data in (change.before, change.after)
        )
    except (ParseError, UnicodeDecodeError):
        return
    for line in difflib.unified_diff(before, after, lineterm="", n=0):
        if line[:3] in ("---", "+++") or line.startswith("@@"):
            continue
        has_comment = change.exists and any(mark in line for mark in _COMMENTS)
        shown = mask_named_secrets(line) if has_comment else line
        yield shown if len(shown) <= _LINE_LIMIT else f"{shown[:_LINE_LIMIT]}..."


def _mask_text(data: bytes, form: DocumentFormat, secrets: Sequence[str]) -> str:
    """Return a text whose secret values are masked."""
    raw = parse_document(data, form, "").root.raw
    text = data.decode("utf-8-sig")
    spans = list(_iter_secret_spans(scan_spans(text, form), raw, secrets, hidden=False))
    for start, end in sorted(spans, reverse=True):
        text = f'{text[:start]}"{MASK}"{text[end:]}'
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK) if secret else text
    return text


def _iter_secret_spans(
    node: SpanNode, raw: RawValue, secrets: Sequence[str], *, hidden: bool
) -> Iterator[tuple[int, int]]:
    """Yield the spans of the values to mask."""
    if isinstance(raw, dict):
        for key, value in raw.items():
            member = node.members.get(key)
            below = hidden or key.lower() in _SECRET_KEYS
            if member is not None:
                yield from _iter_secret_spans(
                    member.value, value, secrets, hidden=below
                )
            elif below or _has_secret(value, secrets):
                yield node.start, node.end  # not found by key: nothing of it is shown
                return
    elif isinstance(raw, list):
        if len(node.items) != len(raw):
            yield node.start, node.end
            return
        for item, value in zip(node.items, raw, strict=True):
            yield from _iter_secret_spans(item, value, secrets, hidden=hidden)
    elif (
        hidden and not (isinstance(raw, str) and raw.startswith(_OURS))
    ) or _has_secret(raw, secrets):
        yield node.start, node.end


def _has_secret(raw: RawValue, secrets: Sequence[str]) -> bool:
    """Return whether a value holds a known secret, or text that resembles one."""
    if isinstance(raw, dict):
        return any(_has_secret(each, secrets) for each in raw.values())
    if isinstance(raw, list):
        return any(_has_secret(each, secrets) for each in raw)
    if not isinstance(raw, str) or raw.startswith(_OURS):
        return False
    if any(secret and secret in raw for secret in secrets):
        return True
    if "://" in raw:
        return redact_url(raw) != raw
    return redact_word(raw) != raw or mask_named_secrets(raw) != raw
