"""The life of signing keys: prepared, active for a day, retired, removed.

Each replica has its own keys, and every replica publishes those of all. Each of a key's
times is written down when it is prepared, so what a key is at a moment follows from the
moment and the record alone: every process of every replica finds the same, and nothing
has to happen at the right time.

    published ......... signs_from ........... the next one signs ....... gone
        |   prepared        |       active            |      retired       |
        at least LEAD            LIFE, at most OVERRUN     TOKEN_LIFE + SLACK

One key is prepared ahead, always. So a key that is killed has a successor which every
verifier has had the time to read.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from answerable.model.signing import SigningKey

CACHED = 300  # seconds that verifiers may keep our key set: its max-age
LEAD = 600  # seconds that a key is published before it signs; CACHED, and all delays
LIFE = 24 * 3600  # seconds that a key signs
OVERRUN = 24 * 3600  # seconds that it signs on where nobody prepared another
TOKEN_LIFE = 600  # seconds from `iat` to `exp` of what we sign, at most
SLACK = 120  # seconds beyond that: clocks, and the verifier's own skew
MAX_PUBLISHED = 100  # keys of all replicas; verifiers read no more of a set


class State(StrEnum):
    """What a key is at a moment."""

    PREPARED = "prepared"
    ACTIVE = "active"
    RETIRED = "retired"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Step:
    """What a replica has to do now.

    Attributes:
        prepare: Times of a key to be made, without its point and kid; None for none.
        changed: Keys whose times change, to be published again before they sign.
        remove: kids of keys to be forgotten, private half and public.
        early: The key that signs may be unknown to a verifier that read our keys a
            moment ago; one that asks again will find it. So it is for LEAD seconds
            after a replica joins others, or after two kills in a row.
    """

    prepare: SigningKey | None = None
    changed: tuple[SigningKey, ...] = ()
    remove: tuple[str, ...] = ()
    early: bool = False


def signing_key(keys: Iterable[SigningKey], replica: str, now: float) -> str:
    """Give the kid of the one key that a replica signs with; empty where none may."""
    begun = (
        key
        for key in keys
        if key.replica == replica and key.signs_from <= now and _counts(key)
    )
    newest = max(begun, key=_order, default=None)
    if newest is None or newest.killed or now >= newest.signs_until:
        return ""
    return newest.kid


def state(key: SigningKey, keys: Iterable[SigningKey], now: float) -> State:
    """Tell what a key is."""
    if key.killed:
        return State.REMOVED
    if now < key.signs_from:
        return State.PREPARED
    ended = _ended(key, keys)
    if now < ended:
        return State.ACTIVE
    return State.RETIRED if now < ended + TOKEN_LIFE + SLACK else State.REMOVED


def published(keys: Iterable[SigningKey], now: float) -> tuple[SigningKey, ...]:
    """Choose what the key set holds: whatever any replica signs with, did or will.

    Returns:
        At most `MAX_PUBLISHED`, those that sign or signed first, ordered by kid.
    """
    known = tuple(keys)
    states = {key.kid: state(key, known, now) for key in known}
    shown = [key for key in known if states[key.kid] is not State.REMOVED]
    # Only where more replicas than it is meant for prepare keys does one fall away.
    shown.sort(key=lambda key: (states[key.kid] is State.PREPARED, key.signs_from))
    return tuple(sorted(shown[:MAX_PUBLISHED], key=lambda key: key.kid))


def plan(keys: Iterable[SigningKey], replica: str, now: float) -> Step:
    """Say what a replica has to do so that it signs now and goes on to.

    Args:
        keys: Of all replicas.
        replica: The one that asks.
        now: NumericDate.
    """
    known = tuple(keys)
    mine = sorted((key for key in known if key.replica == replica), key=_order)
    active = signing_key(mine, replica, now)
    mine = [key for key in mine if not key.killed]
    remove = tuple(
        key.kid
        for key in sorted(known, key=_order)
        # Those of a replica that is gone, too: somebody has to.
        if state(key, known, now) is State.REMOVED and not _is_recent(key, now)
    )
    changed: tuple[SigningKey, ...] = ()
    if not active:
        ahead = [key for key in mine if key.signs_from > now]
        if ahead:
            # The one that signed was killed: its successor begins at once.
            changed = (_from(ahead[0], int(now)),)
            mine = [*changed, *ahead[1:]]
    first = active or (changed[0].kid if changed else "")
    prepare = _prepared(known, mine, replica, now, first)
    if prepare and len(published(known, now)) >= MAX_PUBLISHED:
        prepare = None
    signs = next((key for key in mine if key.kid == first), prepare)
    early = _is_early(signs, known, now)
    # Whether a verifier may hold an older set is told by the older keys.
    return Step(prepare, changed, () if early or not active else remove, early)


def next_turn(keys: Iterable[SigningKey], now: float) -> float:
    """Give when something about these keys changes next, at the latest in LIFE."""
    known = tuple(keys)
    turns = [now + LIFE]
    for key in known:
        ended = _ended(key, known)
        turns += [key.signs_from, ended, ended + TOKEN_LIFE + SLACK]
    return min(turn for turn in turns if turn > now)


def _order(key: SigningKey) -> tuple[int, bool, int, str]:
    # One that was killed in the second it began comes before its successor.
    return key.signs_from, not key.killed, key.published, key.kid


def _counts(key: SigningKey) -> bool:
    """Tell whether a key takes its turn; one that was killed before it began does not.

    One that was killed later still ends the one before it: that does not come back.
    """
    return not key.killed or key.killed >= key.signs_from


def _ended(key: SigningKey, keys: Iterable[SigningKey]) -> int:
    """Give when a key signs no more: when the next one of its replica does."""
    later = (
        other.signs_from
        for other in keys
        if other.replica == key.replica
        and _counts(other)
        and _order(other) > _order(key)
    )
    return min(min(later, default=key.signs_until), key.signs_until)


def _is_recent(key: SigningKey, now: float) -> bool:
    """Tell whether a killed key is to be remembered: its tokens may still live."""
    return bool(key.killed) and now < key.killed + TOKEN_LIFE + SLACK


def _from(key: SigningKey, begins: int) -> SigningKey:
    return replace(key, signs_from=begins, signs_until=begins + LIFE + OVERRUN)


def _prepared(
    known: tuple[SigningKey, ...],
    mine: list[SigningKey],
    replica: str,
    now: float,
    signs: str,
) -> SigningKey | None:
    """Give the times of the key that is missing, None where none is."""
    if not signs:
        begins = int(now)
    elif mine[-1].kid == signs:
        begins = max(int(now) + LEAD, mine[-1].signs_from + LIFE)
    else:
        return None
    return _from(SigningKey("", replica, "", "", int(now), begins, 0), begins)


def _is_early(
    signs: SigningKey | None, known: tuple[SigningKey, ...], now: float
) -> bool:
    if signs is None or now >= signs.published + LEAD:
        return False
    # Where nothing was published before, nobody can have read an older set. What began
    # in the same second may have come before, unless it is the one to follow.
    return any(
        key.published < signs.published
        or (
            key.published == signs.published
            and (key.replica != signs.replica or key.killed > 0)
        )
        for key in known
    )
