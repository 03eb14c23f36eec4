"""How often each policy kind takes part in a generated case."""

from dataclasses import dataclass

from hypothesis import strategies as st


@dataclass(frozen=True)
class Mix:
    """Shares, in ten cases; a law about one kind asks for more of it.

    Attributes:
        organised: Accounts stand in an organisation.
        scp: It has SCPs.
        rcp: It has RCPs.
        boundary: An identity has a permissions boundary.
        session: A session policy is stated.
        endpoint: An endpoint policy is stated.
        block: A public-access block stands somewhere.
        outside: Somebody outside the snapshot asks, too.
        assume: A role is asked about.
        plain: Something without a policy of its own is asked about, too.
        spelled: A statement turns its Principal around.
        variables: A statement's resource holds a variable; where not, one in many.
        pinned: A bucket is open to everybody under a condition.
        alike: All identities say the same, and of one something is not read.
        lines: Text in the operator or the key of every condition; empty for all.
        kinds: Kinds of resources; empty for all.
        subjects: Who asks; empty for all.
    """

    organised: int = 9
    scp: int = 5
    rcp: int = 3
    boundary: int = 3
    session: int = 2
    endpoint: int = 2
    block: int = 3
    outside: int = 4
    assume: int = 3
    plain: int = 1
    spelled: int = 2
    variables: int = 0
    pinned: int = 2
    alike: int = 1
    lines: str = ""
    kinds: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()


EVEN = Mix()
_tenth = st.integers(0, 9)


def draw_share(draw: st.DrawFn, tenths: int) -> bool:
    """Decide, so many times in ten."""
    return draw(_tenth) < tenths
