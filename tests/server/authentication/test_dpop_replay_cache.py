"""A proof is good once, whatever the clock does, and the memory of proofs is bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.federation.claim_parsing import SKEW
from answerable.federation.dpop import WINDOW
from answerable.federation.errors import ProofRefused, Reason
from answerable.model.claims import Proof
from answerable.server import dpop_replay_cache
from answerable.server.dpop_replay_cache import LIFE, NONCE_LIFE, Nonces, SeenProofs
from tests.federation.sample_tokens import NOW

SECRET = bytes(32)


def proof(jti: str, jkt: str = "key", iat: int = NOW) -> Proof:
    return Proof(jkt, jti, iat, iat + WINDOW)


def is_taken(seen: SeenProofs, one: Proof, now: float) -> bool:
    try:
        seen.see(one, "corp/a", now)
    except ProofRefused:
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
    seen, taken = SeenProofs(), set[Proof]()
    for name, step, age in moments:
        now = NOW + start + step
        one = proof(str(name), iat=int(now) + age)
        for each in (one, *taken):
            in_time = int(now) - WINDOW <= each.iat <= int(now) + SKEW
            if in_time and is_taken(seen, each, now):
                # The same name in another proof is the same pair (jkt, jti).
                assert each not in taken
                taken.add(each)


@given(st.lists(st.floats(0, 300), min_size=1), st.integers(-WINDOW, SKEW))
def test_a_new_proof_is_taken_while_the_clock_goes_forth(
    steps: list[float], age: int
) -> None:
    seen, now = SeenProofs(), float(NOW)
    for number, step in enumerate(steps):
        now += step
        assert is_taken(seen, proof(str(number), iat=int(now) + age), now)


def test_keys_do_not_share_their_names() -> None:
    seen = SeenProofs()
    assert is_taken(seen, proof("a", "one"), NOW)
    assert is_taken(seen, proof("a", "other"), NOW)
    assert not is_taken(seen, proof("a", "one"), NOW)


def test_a_clock_that_goes_back_forgets_nothing() -> None:
    seen = SeenProofs()
    assert is_taken(seen, proof("a"), NOW)
    assert is_taken(seen, proof("b"), NOW - 500)
    assert not is_taken(seen, proof("a"), NOW - 500)
    assert not is_taken(seen, proof("b"), NOW)


def test_what_has_ended_is_forgotten() -> None:
    seen = SeenProofs()
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
    seen = SeenProofs()
    for name in "abc":
        seen.see(proof(name, f"key {name}"), "corp/greedy", NOW)
    with pytest.raises(ProofRefused) as caught:
        seen.see(proof("d", "key d"), "corp/greedy", NOW)
    assert caught.value.reason is Reason.TOO_MANY_PROOFS
    seen.see(proof("a", "one"), "corp/a", NOW)
    seen.see(proof("a", "two"), "corp/b", NOW)
    with pytest.raises(ProofRefused):
        seen.see(proof("a", "three"), "corp/c", NOW)
    later = NOW + 200
    seen.see(proof("a", "three", iat=later), "corp/c", later)


@given(st.floats(0, 1000), st.floats(-10, 1000))
def test_a_nonce_is_good_for_a_while_to_whoever_began_before_it(
    begun: float, later: float
) -> None:
    given_at, now = NOW + 500.0, NOW + 500.0 + later
    nonce = Nonces(SECRET, NOW).give(given_at)
    holds = Nonces(SECRET, NOW + begun).holds(nonce, now)
    if abs(later - NONCE_LIFE) > 0.01 and abs(begun - 500) > 0.01:
        assert holds == (begun < 500 and later < NONCE_LIFE)


@given(st.text(max_size=40) | st.binary(min_size=24, max_size=24).map(bytes.hex))
def test_a_nonce_of_somebody_else_is_none(text: str) -> None:
    ours = Nonces(SECRET, NOW)
    assert not ours.holds(text, NOW)
    assert not ours.holds(Nonces(b"x" * 32, NOW).give(NOW), NOW)
    nonce = ours.give(NOW)
    assert not ours.holds(nonce[:-1] + ("A" if nonce[-1] != "A" else "B"), NOW)


@given(st.integers(-SKEW, WINDOW))
def test_a_nonce_is_asked_for_while_an_older_proof_could_be_shown(age: int) -> None:
    nonces = Nonces(SECRET, NOW)
    one = proof("a", iat=NOW - age)
    for later in range(LIFE + 5):
        in_time = NOW + later - WINDOW <= one.iat
        assert nonces.are_asked_for(NOW + later + 0.999) or not in_time
