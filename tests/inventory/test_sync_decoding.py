"""A sync is decoded from the parts of its JSON, and equal values of its facts are shared."""

import dataclasses
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.inventory.fact_pool import FactPool
from answerable.model.coverage import CoverageScope
from answerable.model.sighting import (
    ReadProblem,
    ReadProblemKind,
    SightedFacts,
    Sync,
)
from answerable.services.inventory import sync_decoding
from answerable.services.inventory.stored_sync import encode_sync
from answerable.services.inventory.sync_decoding import decode_sync
from tests.inventory.fact_builders import (
    arn,
    evidence,
    human,
    identity,
    policy,
    statement,
)

# Texts that look like an end of an entity, or of a list.
HOSTILE = ('},{"id":', '],"agents":[', ']},"probes":[', '","', "}]", "a\\", "é\n")
NAMES = st.sampled_from(("a", "b", "Zoë", *HOSTILE))


@st.composite
def syncs(draw: st.DrawFn) -> Sync:
    names = draw(st.lists(NAMES, max_size=12))
    facts = SightedFacts(
        persons=tuple(human(f"{name}@x") for name in names),
        identities=tuple(identity(f"role/{name}") for name in names),
        policies=tuple(
            policy(arn(name), *(statement(name, other) for other in names[:3]))[0]
            for name in names
        ),
        evidence=tuple(evidence(f"role/{name}", name) for name in names),
    )
    problems = tuple(ReadProblem(ReadProblemKind.INVALID, n, n) for n in names[:2])
    held = (CoverageScope("a", "b"),)
    return Sync(
        names[0] if names else "x", "aws", 7, facts, (), problems, ("a",), (), held
    )


@given(syncs(), st.integers(1, 300), st.integers(1, 200))
def test_a_sync_is_decoded_from_parts_of_any_size(
    sync: Sync, part: int, least: int
) -> None:
    content = b"".join(encode_sync(sync))
    parts = [content[at : at + part] for at in range(0, len(content), part)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sync_decoding, "_PART_BYTES", least)
        assert decode_sync(parts, FactPool()) == sync
        assert msgspec.json.decode(content, type=Sync) == sync


def test_another_form_is_not_decoded() -> None:
    content = b"".join(encode_sync(Sync("x", "aws", 7)))
    chance = random.Random(3)  # noqa: S311 - no secret
    for _ in range(100):
        assert (
            decode_sync([content[: chance.randrange(len(content))]], FactPool()) is None
        )
    swapped = content.replace(b'"persons":[],"agents":[]', b'"agents":[],"persons":[]')
    assert decode_sync([swapped], FactPool()) is None
    assert decode_sync([], FactPool()) is None


def test_equal_values_of_facts_are_shared() -> None:
    said = b"".join(
        encode_sync(
            Sync(
                "x",
                "aws",
                7,
                SightedFacts(
                    identities=(identity("role/a"), identity("role/b")),
                    policies=tuple(
                        policy(arn(name), statement("s3:*", "*"))[0] for name in "pq"
                    ),
                    evidence=(evidence("role/a", "ada"), evidence("role/a", "bob")),
                ),
            )
        )
    )
    sync = decode_sync([said], FactPool())
    assert sync is not None
    first, second = sync.facts.policies
    assert first.statements[0] is second.statements[0]
    assert first.seen is second.seen is sync.facts.identities[0].seen
    assert sync.facts.evidence[0].subject is sync.facts.evidence[1].subject


def test_facts_of_other_provenance_keep_their_own() -> None:
    one, two = identity("role/a"), identity("role/b")
    older = dataclasses.replace(two.seen, at=two.seen.at - 1)
    two = dataclasses.replace(two, seen=older)
    assert [each.seen.at for each in FactPool().share([one, two])] == [
        one.seen.at,
        older.at,
    ]
