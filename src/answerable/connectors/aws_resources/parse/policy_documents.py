"""Extract the policy document from a response of any service."""

from collections.abc import Mapping

import msgspec

from answerable.connectors.aws_resources.parse.api_records import (
    NOTHING,
    AttributesAnswer,
)
from answerable.connectors.aws_resources.parse.response_fields import (
    AnswerField,
    AnswerReader,
    FieldAnswer,
)
from answerable.connectors.formats.aws_api_responses import DECODE_ERRORS, AnswerFields

_DOCUMENT_FIELDS = (
    "ResourcePolicy",
    "resourcePolicy",
    "Policy",
    "policy",
    "policyText",
)
_EMPTY = (b"null", b'""')


def extract_document(
    reader: AnswerReader, answer_field: AnswerField, entry: FieldAnswer
) -> msgspec.Raw | str | None:
    """Extract the policy document: JSON, or a string that contains JSON.

    Returns:
        None for no policy; `NOTHING` where the answer is unclear, which adds a
        problem.
    """
    if entry.raw is None:
        return None
    if bytes(entry.raw).lstrip().startswith(b'"'):
        return unquote_document(entry.raw)
    fields = reader.decode(entry.raw, AnswerFields, entry.place)
    if fields is None:
        return NOTHING
    if "Statement" in fields:
        return entry.raw
    if answer_field.document_field == "Attributes":
        answer = reader.decode(entry.raw, AttributesAnswer, entry.place)
        found = answer.attributes.policy if answer else None
        if found is None:
            return NOTHING
    else:
        found = _find_document_field(answer_field, fields)
    if bytes(found) not in _EMPTY:
        return unquote_document(found)
    if answer_field.bare:
        return None
    reader.add_problem(
        entry.place, f"the response has no {answer_field.document_field}"
    )
    return NOTHING


def _find_document_field(
    answer_field: AnswerField, fields: Mapping[str, msgspec.Raw]
) -> msgspec.Raw:
    """Find the field of an API answer that holds the policy document."""
    names = (answer_field.document_field,) if answer_field.kind else _DOCUMENT_FIELDS
    return next((fields[name] for name in names if name in fields), NOTHING)


def unquote_document(raw: msgspec.Raw) -> msgspec.Raw | str:
    """Decode a document that is wrapped in a JSON string."""
    if not bytes(raw).startswith(b'"'):
        return raw
    try:
        return msgspec.json.decode(raw, type=str)
    except DECODE_ERRORS:
        return raw
