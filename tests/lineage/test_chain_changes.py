"""Chains that are derived again after new records equal those derived from all records."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.lineage.chain_stitching_types import (
    SourcedChainKey,
)
from answerable.services.lineage import chain_cache
from answerable.store import (
    chain_changes,
    chain_marks,
    large_stores,
    lineage_facts,
)
from answerable.store.store import EvidenceStore
from tests.lineage import test_token_service as tokens
from tests.lineage.chain_world import (
    SOURCES,
    Statements,
    check_chains,
    check_growth,
    derive_all,
    index,
    make_every_store_large,
    open_half,
)
from tests.lineage.conftest import NOW, keep, made
from tests.lineage.log_world import (
    open_log_store,
    select_records,
    split_records,
)


@pytest.fixture(autouse=True)
def _every_store_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    make_every_store_large(monkeypatch)


@settings(max_examples=3, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_chains_after_any_order_of_arrival_are_those_of_all_facts(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    check_growth(seed, tmp_path_factory.mktemp("growth") / "world")


def _no_credential_behind(patch: pytest.MonkeyPatch) -> None:
    """Chains change only where their own credential was issued otherwise."""
    patch.setattr(chain_marks, "_add_issued_behind", lambda *_: True)


def _no_presentation(patch: pytest.MonkeyPatch) -> None:
    """Calls that presented a credential change no earlier chain."""
    find = chain_changes.find_marks

    def find_without_subjects(*given: Any) -> Any:
        marks = find(*given)
        marks.subjects.clear()
        return marks

    patch.setattr(chain_changes, "find_marks", find_without_subjects)


def _no_changed_issuance(patch: pytest.MonkeyPatch) -> None:
    """Issuances that arrive late change no earlier chain."""
    nothing = "FROM added_issuances WHERE false"
    patch.setattr(chain_marks, "_CHANGED_ISSUANCES", nothing)


def _no_statement(patch: pytest.MonkeyPatch) -> None:
    """Statements change no earlier chain."""
    patch.setattr(chain_changes, "find_changed_subjects", lambda *_: set())


# With the seed that is tried first: it finds the mistake soon.
MISTAKES = {
    _no_statement: 3,
    _no_credential_behind: 1,
    _no_presentation: 0,
    _no_changed_issuance: 1,
}


@pytest.mark.parametrize(
    ("plant", "first"),
    MISTAKES.items(),
    ids=[each.__name__.strip("_") for each in MISTAKES],
)
def test_the_law_finds_a_planted_mistake(
    plant: Callable[[pytest.MonkeyPatch], None],
    first: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plant(monkeypatch)

    def check_all() -> None:
        for seed in {first: None} | dict.fromkeys(range(12)):
            check_growth(seed, tmp_path / str(seed))

    with pytest.raises(AssertionError):
        check_all()


def test_an_owner_of_an_agent_changes_the_chains_of_its_token(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The platform's record names the token, and the token service's the agent."""
    chain = (tokens.ROOT, tokens.LEAF)
    token = tokens.record(
        5, issued="T3", delegation="d3", agent=tokens.LEAF, chain=chain, jti="j-3"
    )
    call = made(60, identity="oidc:x", credential="cred:k8s-jti/j-3")
    keep(store, [token, call])
    store.seal(NOW)
    statements = Statements(monkeypatch, random.Random(1))  # noqa: S311
    check_chains(store)
    before = derive_all(store)
    statements.state(tokens.LEAF, "person:eve")
    assert derive_all(store) != before
    with monkeypatch.context() as patch:
        patch.setattr(chain_marks, "_add_issuances_of_agents", lambda *_: None)
        with pytest.raises(AssertionError):
            check_chains(store)
    statements.state(tokens.LEAF, "person:ana")
    check_chains(store)


def test_a_statement_on_many_chains_derives_all_of_them_again(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store, [made(n, identity="role", session=f"s{n}") for n in range(9)])
    store.seal(NOW)
    statements = Statements(monkeypatch, random.Random(1))  # noqa: S311
    check_chains(store)
    for name, most in (("_MANY_KEYS", 8), ("_MANY_KEYS", 9)):
        monkeypatch.setattr(chain_changes, name, most)
        statements.state("role", f"person:{most}")
        check_chains(store)
    monkeypatch.setattr(chain_marks, "_MANY_CREDENTIALS", 0)
    statements.state("role", "person:last")
    check_chains(store)


def test_equal_chains_stay_in_their_file(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store, [made(n, identity=f"role{n}") for n in range(9)])
    store.seal(NOW)
    statements = Statements(monkeypatch, random.Random(1))  # noqa: S311
    files = check_chains(store).files
    statements.state("role4", "")  # no owner, as before
    assert check_chains(store).files == files
    statements.state("role4", "person:ana")
    assert len({*check_chains(store).files} & {*files}) == len(files) - 1


def test_only_chains_that_can_change_are_derived_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    derived: list[SourcedChainKey] = []
    iterate = chain_cache._iterate_chains_in_parts

    def record(store: Any, keys: Any, statements: Any) -> Any:
        listed = list(keys)
        derived.extend(listed)
        return iterate(store, iter(listed), statements)

    monkeypatch.setattr(chain_cache, "_iterate_chains_in_parts", record)
    with open_log_store(tmp_path / "world") as world:
        *first, last = split_records(select_records(SOURCES), random.Random(1))  # noqa: S311
        for delivery in first:
            world.tell(delivery)
        check_chains(world.store)
        all_keys = len(derived)
        derived.clear()
        check_chains(world.store)
        assert derived == []
        world.tell(last)
        check_chains(world.store)
        assert 0 < len(derived) < all_keys


def test_events_that_arrive_while_chains_are_derived_change_the_chains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache of a small store is saved under the generation of what was read."""
    monkeypatch.setattr(large_stores, "LARGE_STORE_EVENTS", 10**9)
    with open_half(tmp_path / "world") as (world, later):
        read = lineage_facts.read_lineage_facts

        def read_before_others(store: EvidenceStore) -> Any:
            found = read(store)
            for delivery in later:
                world.tell(delivery)
            return found

        with monkeypatch.context() as patch:
            patch.setattr(lineage_facts, "read_lineage_facts", read_before_others)
            before = index(chain_cache.load_or_compute_chains(world.store))
        expected = derive_all(world.store)
        assert before != expected
        assert index(chain_cache.load_or_compute_chains(world.store)) == expected
