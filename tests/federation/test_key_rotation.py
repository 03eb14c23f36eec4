"""Laws of the life of signing keys, over replicas that start, stop and are killed."""

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.federation.key_rotation import (
    CACHE_MAX_AGE,
    CLOCK_SLACK,
    KEY_LIFETIME,
    LEAD_TIME,
    MAX_OVERRUN,
    MAX_PUBLISHED,
    MAX_TOKEN_LIFETIME,
    KeyState,
    active_key_id,
    key_state,
    next_key_state_change,
    plan_rotation,
    published_keys,
)
from answerable.model.token_signing_key import SigningKey

START = 1_800_000_000


@dataclass
class ReplicaSimulation:
    """Replicas that share a record of keys, and a verifier that reads their set."""

    now: int = START
    keys: dict[str, SigningKey] = field(default_factory=dict)
    made: int = 0
    sets: list[tuple[int, frozenset[str]]] = field(default_factory=list)
    tokens: list[tuple[str, int]] = field(default_factory=list)
    early: set[str] = field(default_factory=set)
    stepped: dict[str, int] = field(default_factory=dict)

    @property
    def known(self) -> tuple[SigningKey, ...]:
        return tuple(self.keys.values())

    def step(self, replica: str) -> None:
        """What `sts.signing_keys.key_ring` does, without disk and database."""
        for _ in range(10):
            step = plan_rotation(self.known, replica, self.now)
            for kid in step.remove:
                del self.keys[kid]
            for key in step.changed:
                self.keys[key.kid] = key
            if step.prepare is None:
                break
            self.made += 1
            kid = f"k{self.made}"
            self.keys[kid] = replace(step.prepare, kid=kid)
        else:
            raise AssertionError("it prepares without end")
        (self.early.add if step.early else self.early.discard)(replica)
        self.stepped[replica] = self.now
        self.note()

    def note(self) -> None:
        shown = frozenset(key.kid for key in published_keys(self.known, self.now))
        self.sets.append((self.now, shown))

    def sign(self, replica: str) -> str:
        kid = active_key_id(self.known, replica, self.now)
        if kid:
            self.tokens.append((kid, self.now + MAX_TOKEN_LIFETIME))
        return kid

    def kill(self, kid: str) -> None:
        self.keys[kid] = replace(self.keys[kid], killed=self.now)
        self.note()

    def cached(self) -> list[frozenset[str]]:
        """Every set that a verifier may hold now."""
        before = [shown for at, shown in self.sets if at <= self.now - CACHE_MAX_AGE]
        since = [shown for at, shown in self.sets if at > self.now - CACHE_MAX_AGE]
        # An empty set is none: no verifier takes it.
        return [shown for shown in before[-1:] + since if shown]


def check(world: ReplicaSimulation, replica: str) -> None:
    """What holds whenever a replica has done what is due."""
    signs = world.sign(replica)
    mine = [key for key in world.known if key.replica == replica and not key.killed]
    active = [
        k.kid for k in mine if key_state(k, world.known, world.now) is KeyState.ACTIVE
    ]
    assert active == [signs], "exactly one key signs"
    prepared = [
        k for k in mine if key_state(k, world.known, world.now) is KeyState.PREPARED
    ]
    assert len(prepared) == 1, "exactly one is ready to follow"
    shown = {key.kid for key in published_keys(world.known, world.now)}
    assert signs in shown
    killed = {key.kid for key in world.known if key.killed}
    assert not killed & shown
    for kid, exp in world.tokens:
        if world.now <= exp + CLOCK_SLACK // 2 and kid in world.keys:
            assert kid in shown or kid in killed
    if replica not in world.early:
        assert all(signs in each for each in world.cached()), "a verifier knows it"


WAITS = st.one_of(
    st.integers(1, 60),
    st.integers(60, 2 * LEAD_TIME),
    st.integers(KEY_LIFETIME - 2 * LEAD_TIME, KEY_LIFETIME + 2 * LEAD_TIME),
    st.integers(1, 4 * KEY_LIFETIME),
)
STEPS = st.lists(
    st.tuples(
        WAITS, st.sampled_from("abc"), st.sampled_from(["", "", "", "kill", "all"])
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=100)
@given(STEPS)
def test_one_key_signs_and_verifiers_know_it(
    steps: list[tuple[int, str, str]],
) -> None:
    world = ReplicaSimulation()
    for wait, replica, kill in steps:
        world.now += wait
        world.note()
        world.step(replica)
        check(world, replica)
        if kill:
            world.kill(active_key_id(world.known, replica, world.now))
            assert active_key_id(world.known, replica, world.now) == ""
            if kill == "all":
                for key in world.known:
                    if key.replica == replica and not key.killed:
                        world.kill(key.kid)
            world.step(replica)
            check(world, replica)


@settings(max_examples=50)
@given(st.integers(1, 4), st.integers(30, LEAD_TIME), st.integers(2, 9))
def test_replicas_that_keep_up_are_never_early_once_they_have_joined(
    replicas: int, pace: int, days: int
) -> None:
    world = ReplicaSimulation()
    joined = START + LEAD_TIME
    turns = set[str]()
    while world.now < START + days * KEY_LIFETIME:
        for name in "abcd"[:replicas]:
            world.step(name)
            check(world, name)
            turns.add(world.sign(name))
            assert world.now < joined or name not in world.early
        # Nothing but turns matters, so go from one to just before the next.
        ahead = next_key_state_change(world.known, world.now) - world.now
        world.now += max(pace, int(ahead) - pace)
    assert len(turns) >= replicas * days
    assert len(world.keys) <= 3 * replicas
    assert len(published_keys(world.known, world.now)) <= 3 * replicas


@given(STEPS)
def test_between_two_turns_nothing_changes(steps: list[tuple[int, str, str]]) -> None:
    world = ReplicaSimulation()
    for wait, replica, _ in steps:
        world.now += wait
        world.step(replica)
        turn = next_key_state_change(world.known, world.now)
        assert turn > world.now
        for key in world.known:
            before = key_state(key, world.known, turn - 1)
            assert key_state(key, world.known, world.now) is before
        assert active_key_id(world.known, replica, turn - 1) == active_key_id(
            world.known, replica, world.now
        )


def test_a_kill_leaves_no_moment_without_a_key_that_verifiers_know() -> None:
    world = ReplicaSimulation()
    world.step("a")
    world.now += LEAD_TIME
    world.step("a")
    first = active_key_id(world.known, "a", world.now)
    world.kill(first)
    world.step("a")
    check(world, "a")
    assert "a" not in world.early
    assert active_key_id(world.known, "a", world.now) != first
    world.kill(active_key_id(world.known, "a", world.now))
    world.step("a")
    check(world, "a")
    assert "a" in world.early


def test_a_key_that_retired_does_not_come_back() -> None:
    world = ReplicaSimulation()
    world.step("a")
    old = active_key_id(world.known, "a", world.now)
    world.now += KEY_LIFETIME
    world.step("a")
    new = active_key_id(world.known, "a", world.now)
    assert new != old
    world.kill(new)
    assert active_key_id(world.known, "a", world.now) == ""
    assert key_state(world.keys[old], world.known, world.now) is KeyState.RETIRED


def test_a_replica_that_is_gone_leaves_the_set() -> None:
    world = ReplicaSimulation()
    world.step("gone")
    world.step("here")
    for _ in range(8):
        world.now += KEY_LIFETIME // 2
        world.step("here")
    assert {key.replica for key in world.known} == {"here"}


def test_the_set_is_no_larger_than_verifiers_read() -> None:
    world = ReplicaSimulation()
    for number in range(MAX_PUBLISHED):
        world.step(f"replica {number}")
    assert len(published_keys(world.known, world.now)) == MAX_PUBLISHED
    assert len(world.keys) == MAX_PUBLISHED


def test_the_times_leave_room_for_each_other() -> None:
    assert CACHE_MAX_AGE < LEAD_TIME < KEY_LIFETIME
    assert MAX_TOKEN_LIFETIME + CLOCK_SLACK < KEY_LIFETIME
    assert MAX_OVERRUN >= KEY_LIFETIME
