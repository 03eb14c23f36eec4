"""Compile AWS statements to policy documents within the size limits of a target."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from answerable.baseline.policy_export.aws_limits import AWS_LIMITS, AwsPolicyLimit
from answerable.baseline.policy_export.aws_statements import (
    encode_statements,
    format_statements,
    group_statements,
)
from answerable.model.policy import PolicyEffect, Statement
from answerable.model.policy_export import (
    ExportedPolicy,
    ExportTarget,
    OmittedClause,
    PolicyDocument,
)


def compile_aws_policy(
    statements: Iterable[Statement],
    target: ExportTarget,
    omitted: Iterable[OmittedClause] = (),
) -> ExportedPolicy:
    """Compile statements to the documents of an AWS target; refuse rather than widen.

    Args:
        statements: Statements with exact patterns; they are grouped, never widened.
        target: One of the targets of `AWS_LIMITS`.
        omitted: Clauses that the statements lack already.
    """
    limit = AWS_LIMITS[target]
    kept = tuple(sorted(set(omitted)))
    grouped = group_statements(statements)
    if not any(each.effect is PolicyEffect.ALLOW for each in grouped):
        return ExportedPolicy(
            target, (), kept, ("no action of AWS can be allowed by this policy",)
        )
    parts = list(_pack_documents(grouped, limit))
    refusals = list(_list_size_refusals(grouped, parts, target, limit))
    if refusals:
        return ExportedPolicy(target, (), kept, tuple(refusals))
    documents = tuple(
        PolicyDocument(
            target.value if len(parts) == 1 else f"{target.value}-{number}",
            format_statements(part),
            len(encode_statements(part)),
            limit.characters,
        )
        for number, part in enumerate(parts, 1)
    )
    return ExportedPolicy(target, documents, kept)


def _pack_documents(
    statements: Sequence[Statement], limit: AwsPolicyLimit
) -> Iterator[list[Statement]]:
    """Yield documents of at most the limit, in the order of the statements."""
    if limit.documents == 1:
        yield list(statements)
        return
    part: list[Statement] = []
    for each in statements:
        for piece in _split_statement(each, limit.characters):
            if part and len(encode_statements([*part, piece])) > limit.characters:
                yield part
                part = []
            part.append(piece)
    yield part


def _split_statement(statement: Statement, characters: int) -> Iterator[Statement]:
    """Split a statement that exceeds a document; one that denies stays whole."""
    fits = len(encode_statements([statement])) <= characters
    actions, resources = statement.actions, statement.resources
    longest = max(len(actions), len(resources))
    if fits or longest < 2 or statement.effect is PolicyEffect.DENY:
        yield statement
        return
    for half in (slice(longest // 2), slice(longest // 2, None)):
        if len(resources) == longest:
            piece = replace(statement, resources=resources[half])
        else:
            piece = replace(statement, actions=actions[half])
        yield from _split_statement(piece, characters)


def _list_size_refusals(
    statements: Sequence[Statement],
    parts: Sequence[Sequence[Statement]],
    target: ExportTarget,
    limit: AwsPolicyLimit,
) -> Iterator[str]:
    """Yield why the documents do not fit, with the sizes that they would have."""
    if len(parts) > limit.documents:
        yield (
            f"too many policies for one identity (got {len(parts)}, expected at most "
            f"{limit.documents} of {limit.characters} characters)"
        )
    longest = max(len(encode_statements(part)) for part in parts)
    if longest > limit.characters:
        names = {each for one in statements for each in one.actions}
        wide = group_statements(
            replace(one, resources=("*",), not_resources=())
            for one in statements
            if one.effect is PolicyEffect.ALLOW
        )
        yield (
            f"{target.value} is too long (got {longest} characters for {len(names)} "
            f"actions, expected at most {limit.characters}; "
            f"{len(encode_statements(wide))} without resources, which would widen it)"
        )
