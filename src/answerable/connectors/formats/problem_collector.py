"""Collect problems while AWS API responses are decoded."""

from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from answerable.connectors.formats.aws_api_responses import (
    DECODE_ERRORS,
    describe_decode_error,
)
from answerable.model.sighting import ReadProblem, ReadProblemKind

DecodedT = TypeVar("DecodedT")


@dataclass(slots=True)
class ProblemCollector:
    """Base of readers and builders that collect problems of invalid answers."""

    problems: list[ReadProblem] = field(default_factory=list, kw_only=True)

    def add_problem(self, place: str, message: str) -> None:
        """Record why a place in a source could not be read."""
        self.problems.append(ReadProblem(ReadProblemKind.INVALID, place, message))

    def decode(
        self, raw: msgspec.Raw, kind: type[DecodedT], place: str
    ) -> DecodedT | None:
        """Decode JSON to a type; None and a problem if invalid."""
        try:
            return msgspec.json.decode(raw, type=kind)
        except DECODE_ERRORS as error:
            self.add_problem(place, describe_decode_error(error))
            return None
