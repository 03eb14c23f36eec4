"""A proof is good once, whatever the clock does, and the memory of proofs is bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.federation.claim_parsing import CLOCK_SKEW
from answerable.federation.dpop import PROOF_WINDOW
from answerable.federation.token_errors import ProofRejected, TokenFault
from answerable.model.token_claims import DpopProof
from answerable.server import dpop_replay_cache
from answerable.server.dpop_replay_cache import (
    NONCE_LIFETIME,
    PROOF_LIFETIME,
    DpopNonces,
    DpopReplayCache,
)
from tests.federation.sample_tokens import NOW

SECRET = bytes(32)


def proof(jti: str, jkt: str = "key", iat: int = NOW) -> DpopProof:
    return DpopProof(jkt, jti, iat, iat + PROOF_WINDOW)


def is_taken(seen: DpopReplayCache, one: DpopProof, now: float) -> bool:
    try:
        seen.add_proof(one, "corp/a", now)
    except ProofRejected:
        return False
    return True


MOMENTS = st.lists(
    st.tuples(st.integers(0, 3), st.floats(-40, 300), st.integers(-60, 30)),
    max_size=40,
)


@given(MOMENTS, st.integers(0, 200))
def test_no_proof_is_taken_twice_while_its_age_would_let_it(
    moments: list[tuple[int, float, int]], start: int
) -> None:
    """The clock goes forth and back as it likes."""
    seen, taken = DpopReplayCache(), set[DpopProof]()
    for name, step, age in moments:
        now = NOW + start + step
        one = proof(str(name), iat=int(now) + age)
        for each in (one, *taken):
            in_time = int(now) - PROOF_WINDOW <= each.iat <= int(now) + CLOCK_SKEW
            if in_time and is_taken(seen, each, now):
                # The same name in another proof is the same pair (jkt, jti).
                assert each not in taken
                taken.add(each)


@given(st.lists(st.floats(0, 300), min_size=1), st.integers(-PROOF_WINDOW, CLOCK_SKEW))
def test_a_new_proof_is_taken_while_the_clock_goes_forth(
    steps: list[float], age: int
) -> None:
    seen, now = DpopReplayCache(), float(NOW)
    for number, step in enumerate(steps):
        now += step
        assert is_taken(seen, proof(str(number), iat=int(now) + age), now)


def test_keys_do_not_share_their_names() -> None:
    seen = DpopReplayCache()
    assert is_taken(seen, proof("a", "one"), NOW)
    assert is_taken(seen, proof("a", "other"), NOW)
    assert not is_taken(seen, proof("a", "one"), NOW)


def test_a_clock_that_goes_back_forgets_nothing() -> None:
    seen = DpopReplayCache()
    assert is_taken(seen, proof("a"), NOW)
    assert is_taken(seen, proof("b"), NOW - 500)
    assert not is_taken(seen, proof("a"), NOW - 500)
    assert not is_taken(seen, proof("b"), NOW)


def test_what_has_ended_is_forgotten() -> None:
    seen = DpopReplayCache()
    for second in range(0, 1200, 7):
        now = NOW + second
        assert is_taken(seen, proof("a" * (second + 1), iat=now), now)
    kept = sum(len(slot.seen) for slot in seen._slots)
    assert kept <= 1 + 120 // 7


def test_one_caller_cannot_crowd_out_the_others_with_however_many_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dpop_replay_cache, "MAX_PER_CALLER", 3)
    monkeypatch.setattr(dpop_replay_cache, "MAX_PROOFS", 5)
    seen = DpopReplayCache()
    for name in "abc":
        seen.add_proof(proof(name, f"key {name}"), "corp/greedy", NOW)
    with pytest.raises(ProofRejected) as caught:
        seen.add_proof(proof("d", "key d"), "corp/greedy", NOW)
    assert caught.value.reason is TokenFault.TOO_MANY_PROOFS
    seen.add_proof(proof("a", "one"), "corp/a", NOW)
    seen.add_proof(proof("a", "two"), "corp/b", NOW)
    with pytest.raises(ProofRejected):
        seen.add_proof(proof("a", "three"), "corp/c", NOW)
    later = NOW + 200
    seen.add_proof(proof("a", "three", iat=later), "corp/c", later)


@given(st.floats(0, 1000), st.floats(-10, 1000))
def test_a_nonce_is_good_for_a_while_to_whoever_began_before_it(
    begun: float, later: float
) -> None:
    given_at, now = NOW + 500.0, NOW + 500.0 + later
    nonce = DpopNonces(SECRET, NOW).issue(given_at)
    holds = DpopNonces(SECRET, NOW + begun).is_valid(nonce, now)
    if abs(later - NONCE_LIFETIME) > 0.01 and abs(begun - 500) > 0.01:
        assert holds == (begun < 500 and later < NONCE_LIFETIME)


@given(st.text(max_size=40) | st.binary(min_size=24, max_size=24).map(bytes.hex))
def test_a_nonce_of_somebody_else_is_none(text: str) -> None:
    ours = DpopNonces(SECRET, NOW)
    assert not ours.is_valid(text, NOW)
    assert not ours.is_valid(DpopNonces(b"x" * 32, NOW).issue(NOW), NOW)
    nonce = ours.issue(NOW)
    assert not ours.is_valid(nonce[:-1] + ("A" if nonce[-1] != "A" else "B"), NOW)


@given(st.integers(-CLOCK_SKEW, PROOF_WINDOW))
def test_a_nonce_is_asked_for_while_an_older_proof_could_be_shown(age: int) -> None:
    nonces = DpopNonces(SECRET, NOW)
    one = proof("a", iat=NOW - age)
    for later in range(PROOF_LIFETIME + 5):
        in_time = NOW + later - PROOF_WINDOW <= one.iat
        assert nonces.are_required(NOW + later + 0.999) or not in_time
