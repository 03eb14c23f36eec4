"""Signing key rotation: prepared, active for a day, retired, removed.

Each replica has its own keys, and every replica publishes all of them. The times of a
key are fixed when it is prepared, so its state follows from the record and the clock:
all processes agree, and nothing must happen at an exact time.

  published ......... signs_from ........... the next one signs ....... gone
    |   prepared        |       active            |      retired       |
    at least LEAD            LIFE, at most OVERRUN     TOKEN_LIFE + SLACK

One key is always prepared ahead, so a revoked key has a successor that verifiers have
had time to fetch.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from answerable.model.signing_key import SigningKey

CACHED = 300  # seconds that verifiers may keep our key set: its max-age
LEAD = 600  # seconds that a key is published before it signs; CACHED, and all delays
LIFE = 24 * 3600  # seconds that a key signs
OVERRUN = 24 * 3600  # seconds that it signs longer without a successor
TOKEN_LIFE = 600  # seconds from `iat` to `exp` of what we sign, at most
SLACK = 120  # seconds beyond that: clocks, and the verifier's own skew
MAX_PUBLISHED = 100  # keys of all replicas; verifiers read no more of a set


class State(StrEnum):
    """State of a signing key at a moment."""

    PREPARED = "prepared"
    ACTIVE = "active"
    RETIRED = "retired"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Step:
    """Actions of a replica that are due now.

    Attributes:
        prepare: Times of a key to generate; None for none.
        changed: Keys with new times, to be published before they sign.
        remove: kids of keys to delete, private and public.
        early: Whether verifiers with a cached key set may lack the active key: for LEAD
            seconds after a replica joins others, or after two revocations in a row.
    """

    prepare: SigningKey | None = None
    changed: tuple[SigningKey, ...] = ()
    remove: tuple[str, ...] = ()
    early: bool = False


def signing_key(keys: Iterable[SigningKey], replica: str, now: float) -> str:
    """Return the kid of the key that a replica signs with; empty for none."""
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
    """Return the state of a key."""
    if key.killed:
        return State.REMOVED
    if now < key.signs_from:
        return State.PREPARED
    ended = _ended(key, keys)
    if now < ended:
        return State.ACTIVE
    return State.RETIRED if now < ended + TOKEN_LIFE + SLACK else State.REMOVED


def published(keys: Iterable[SigningKey], now: float) -> tuple[SigningKey, ...]:
    """Select the keys of the key set: prepared, active and retired, of all replicas.

    Returns:
        At most `MAX_PUBLISHED` by kid; prepared keys are cut first.
    """
    known = tuple(keys)
    states = {key.kid: state(key, known, now) for key in known}
    shown = [key for key in known if states[key.kid] is not State.REMOVED]
    # Only where more replicas than it is meant for prepare keys does one fall away.
    shown.sort(key=lambda key: (states[key.kid] is State.PREPARED, key.signs_from))
    return tuple(sorted(shown[:MAX_PUBLISHED], key=lambda key: key.kid))


def plan(keys: Iterable[SigningKey], replica: str, now: float) -> Step:
    """Plan the next rotation step of a replica.

    Args:
        keys: Keys of all replicas.
        now: NumericDate.
    """
    known = tuple(keys)
    mine = sorted((key for key in known if key.replica == replica), key=_order)
    active = signing_key(mine, replica, now)
    mine = [key for key in mine if not key.killed]
    remove = tuple(
        key.kid
        for key in sorted(known, key=_order)
        # Includes keys of replicas that no longer exist.
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
    # Older keys show whether a verifier may hold an older set.
    return Step(prepare, changed, () if early or not active else remove, early)


def next_turn(keys: Iterable[SigningKey], now: float) -> float:
    """Return when the state of a key changes next, at the latest in LIFE."""
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
    """Tell whether a key ends its predecessor; not if revoked before it was active.

    One that was killed later still ends the one before it: that does not come back.
    """
    return not key.killed or key.killed >= key.signs_from


def _ended(key: SigningKey, keys: Iterable[SigningKey]) -> int:
    """Return when a key stops signing: when the next key of its replica starts."""
    later = (
        other.signs_from
        for other in keys
        if other.replica == key.replica
        and _counts(other)
        and _order(other) > _order(key)
    )
    return min(min(later, default=key.signs_until), key.signs_until)


def _is_recent(key: SigningKey, now: float) -> bool:
    """Tell whether tokens of a revoked key may still be alive."""
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
    """Return the times of the missing key, None if none is missing."""
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
    # Without an earlier key no verifier has an older set. A key of the same second may
    # be earlier, unless it is the successor.
    return any(
        key.published < signs.published
        or (
            key.published == signs.published
            and (key.replica != signs.replica or key.killed > 0)
        )
        for key in known
    )
