"""Extraction of the policy document from an answer."""

from collections.abc import Mapping

import msgspec

from answerable.connectors.aws_resources.parse.answer_fields import (
    Asked,
    Question,
    Reading,
)
from answerable.connectors.aws_resources.parse.api_records import NOTHING, Attributed
from answerable.connectors.formats.aws_api_answers import UNREADABLE, Fields

_HOLDS = ("ResourcePolicy", "resourcePolicy", "Policy", "policy", "policyText")
_EMPTY = (b"null", b'""')


def document(
    reading: Reading, question: Question, asked: Asked
) -> msgspec.Raw | str | None:
    """Extract the document: JSON, or text that is JSON.

    Returns:
        None for no policy; `NOTHING` where the answer is unclear, which adds a
        problem.
    """
    if asked.raw is None:
        return None
    if bytes(asked.raw).lstrip().startswith(b'"'):
        return text_of(asked.raw)
    fields = reading.decode(asked.raw, Fields, asked.place)
    if fields is None:
        return NOTHING
    if "Statement" in fields:
        return asked.raw
    if question.holds == "Attributes":
        answer = reading.decode(asked.raw, Attributed, asked.place)
        found = answer.attributes.policy if answer else None
        if found is None:
            return NOTHING
    else:
        found = _held(question, fields)
    if bytes(found) not in _EMPTY:
        return text_of(found)
    if question.bare:
        return None
    reading.problem(asked.place, f"the answer holds no {question.holds}")
    return NOTHING


def _held(question: Question, fields: Mapping[str, msgspec.Raw]) -> msgspec.Raw:
    names = (question.holds,) if question.kind else _HOLDS
    return next((fields[name] for name in names if name in fields), NOTHING)


def text_of(raw: msgspec.Raw) -> msgspec.Raw | str:
    """Decode a document that is wrapped in a JSON string."""
    if not bytes(raw).startswith(b'"'):
        return raw
    try:
        return msgspec.json.decode(raw, type=str)
    except UNREADABLE:
        return raw
