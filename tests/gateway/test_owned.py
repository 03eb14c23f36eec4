"""What was handed out belongs to whom it was handed to."""

from hypothesis import given
from hypothesis import strategies as st

from answerable.gateway.owned import Owned, Whose

KEYS = st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"))
STEPS = st.lists(
    st.tuples(st.sampled_from(["give", "take"]), KEYS, st.sampled_from(["ana", "ben"]))
)


@given(STEPS, KEYS)
def test_it_says_what_a_plain_reading_of_the_steps_says(
    steps: list[tuple[str, tuple[str, str], str]], key: tuple[str, str]
) -> None:
    owned = Owned()
    held: set[tuple[tuple[str, str], str]] = set()
    for step, each, principal in steps:
        if step == "give":
            owned.give(each, principal)
            held.add((each, principal))
        else:
            owned.take(each, principal)
            held.discard((each, principal))
    owners = {principal for each, principal in held if each == key}
    for principal in ("ana", "ben"):
        expected = (
            Whose.ITS_OWN
            if principal in owners
            else Whose.ANOTHERS
            if owners
            else Whose.UNKNOWN
        )
        assert owned.whose(key, principal) is expected


def test_nobody_makes_what_is_anothers_be_forgotten() -> None:
    owned = Owned(most=2)
    owned.give(("a",), "ana")
    for number in range(9):
        owned.give((str(number),), "ben")
    assert owned.whose(("a",), "ana") is Whose.ITS_OWN
    assert owned.whose(("7",), "ben") is Whose.ITS_OWN
    assert owned.whose(("6",), "ben") is Whose.UNKNOWN
