"""Laws of the life of signing keys, over replicas that start, stop and are killed."""

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.federation.key_rotation import (
    CACHED,
    LEAD,
    LIFE,
    MAX_PUBLISHED,
    OVERRUN,
    SLACK,
    TOKEN_LIFE,
    State,
    next_turn,
    plan,
    published,
    signing_key,
    state,
)
from answerable.model.signing_key import SigningKey

START = 1_800_000_000


@dataclass
class World:
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
        """What `sts.keys.ring` does, without disk and database."""
        for _ in range(10):
            step = plan(self.known, replica, self.now)
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
        shown = frozenset(key.kid for key in published(self.known, self.now))
        self.sets.append((self.now, shown))

    def sign(self, replica: str) -> str:
        kid = signing_key(self.known, replica, self.now)
        if kid:
            self.tokens.append((kid, self.now + TOKEN_LIFE))
        return kid

    def kill(self, kid: str) -> None:
        self.keys[kid] = replace(self.keys[kid], killed=self.now)
        self.note()

    def cached(self) -> list[frozenset[str]]:
        """Every set that a verifier may hold now."""
        before = [shown for at, shown in self.sets if at <= self.now - CACHED]
        since = [shown for at, shown in self.sets if at > self.now - CACHED]
        # An empty set is none: no verifier takes it.
        return [shown for shown in before[-1:] + since if shown]


def check(world: World, replica: str) -> None:
    """What holds whenever a replica has done what is due."""
    signs = world.sign(replica)
    mine = [key for key in world.known if key.replica == replica and not key.killed]
    active = [k.kid for k in mine if state(k, world.known, world.now) is State.ACTIVE]
    assert active == [signs], "exactly one key signs"
    prepared = [k for k in mine if state(k, world.known, world.now) is State.PREPARED]
    assert len(prepared) == 1, "exactly one is ready to follow"
    shown = {key.kid for key in published(world.known, world.now)}
    assert signs in shown
    killed = {key.kid for key in world.known if key.killed}
    assert not killed & shown
    for kid, exp in world.tokens:
        if world.now <= exp + SLACK // 2 and kid in world.keys:
            assert kid in shown or kid in killed
    if replica not in world.early:
        assert all(signs in each for each in world.cached()), "a verifier knows it"


WAITS = st.one_of(
    st.integers(1, 60),
    st.integers(60, 2 * LEAD),
    st.integers(LIFE - 2 * LEAD, LIFE + 2 * LEAD),
    st.integers(1, 4 * LIFE),
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
    world = World()
    for wait, replica, kill in steps:
        world.now += wait
        world.note()
        world.step(replica)
        check(world, replica)
        if kill:
            world.kill(signing_key(world.known, replica, world.now))
            assert signing_key(world.known, replica, world.now) == ""
            if kill == "all":
                for key in world.known:
                    if key.replica == replica and not key.killed:
                        world.kill(key.kid)
            world.step(replica)
            check(world, replica)


@settings(max_examples=50)
@given(st.integers(1, 4), st.integers(30, LEAD), st.integers(2, 9))
def test_replicas_that_keep_up_are_never_early_once_they_have_joined(
    replicas: int, pace: int, days: int
) -> None:
    world = World()
    joined = START + LEAD
    turns = set[str]()
    while world.now < START + days * LIFE:
        for name in "abcd"[:replicas]:
            world.step(name)
            check(world, name)
            turns.add(world.sign(name))
            assert world.now < joined or name not in world.early
        # Nothing but turns matters, so go from one to just before the next.
        ahead = next_turn(world.known, world.now) - world.now
        world.now += max(pace, int(ahead) - pace)
    assert len(turns) >= replicas * days
    assert len(world.keys) <= 3 * replicas
    assert len(published(world.known, world.now)) <= 3 * replicas


@given(STEPS)
def test_between_two_turns_nothing_changes(steps: list[tuple[int, str, str]]) -> None:
    world = World()
    for wait, replica, _ in steps:
        world.now += wait
        world.step(replica)
        turn = next_turn(world.known, world.now)
        assert turn > world.now
        for key in world.known:
            before = state(key, world.known, turn - 1)
            assert state(key, world.known, world.now) is before
        assert signing_key(world.known, replica, turn - 1) == signing_key(
            world.known, replica, world.now
        )


def test_a_kill_leaves_no_moment_without_a_key_that_verifiers_know() -> None:
    world = World()
    world.step("a")
    world.now += LEAD
    world.step("a")
    first = signing_key(world.known, "a", world.now)
    world.kill(first)
    world.step("a")
    check(world, "a")
    assert "a" not in world.early
    assert signing_key(world.known, "a", world.now) != first
    world.kill(signing_key(world.known, "a", world.now))
    world.step("a")
    check(world, "a")
    assert "a" in world.early


def test_a_key_that_retired_does_not_come_back() -> None:
    world = World()
    world.step("a")
    old = signing_key(world.known, "a", world.now)
    world.now += LIFE
    world.step("a")
    new = signing_key(world.known, "a", world.now)
    assert new != old
    world.kill(new)
    assert signing_key(world.known, "a", world.now) == ""
    assert state(world.keys[old], world.known, world.now) is State.RETIRED


def test_a_replica_that_is_gone_leaves_the_set() -> None:
    world = World()
    world.step("gone")
    world.step("here")
    for _ in range(8):
        world.now += LIFE // 2
        world.step("here")
    assert {key.replica for key in world.known} == {"here"}


def test_the_set_is_no_larger_than_verifiers_read() -> None:
    world = World()
    for number in range(MAX_PUBLISHED):
        world.step(f"replica {number}")
    assert len(published(world.known, world.now)) == MAX_PUBLISHED
    assert len(world.keys) == MAX_PUBLISHED


def test_the_times_leave_room_for_each_other() -> None:
    assert CACHED < LEAD < LIFE
    assert TOKEN_LIFE + SLACK < LIFE
    assert OVERRUN >= LIFE
