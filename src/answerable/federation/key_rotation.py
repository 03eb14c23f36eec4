"""Plan the rotation of signing keys: prepare, sign for a day, retire, remove.

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

from answerable.model.token_signing_key import SigningKey

CACHE_MAX_AGE = 300  # seconds that verifiers may keep our key set: its max-age
LEAD_TIME = (
    600  # seconds that a key is published before it signs; CACHED, and all delays
)
KEY_LIFETIME = 24 * 3600  # seconds that a key signs
MAX_OVERRUN = 24 * 3600  # seconds that it signs longer without a successor
MAX_TOKEN_LIFETIME = 600  # seconds from `iat` to `exp` of what we sign, at most
CLOCK_SLACK = 120  # seconds beyond that: clocks, and the verifier's own skew
MAX_PUBLISHED = 100  # keys of all replicas; verifiers read no more of a set


class KeyState(StrEnum):
    """State of a signing key at a moment."""

    PREPARED = "prepared"
    ACTIVE = "active"
    RETIRED = "retired"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class RotationStep:
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


def active_key_id(keys: Iterable[SigningKey], replica: str, now: float) -> str:
    """Return the kid of the key that a replica signs with now; empty for none."""
    begun = (
        key
        for key in keys
        if key.replica == replica
        and key.signs_from <= now
        and _ends_signing_of_predecessor(key)
    )
    newest = max(begun, key=_signing_start_sort_key, default=None)
    if newest is None or newest.killed or now >= newest.signs_until:
        return ""
    return newest.kid


def key_state(key: SigningKey, keys: Iterable[SigningKey], now: float) -> KeyState:
    """Return the state of a key: prepared, active, retired or removed."""
    if key.killed:
        return KeyState.REMOVED
    if now < key.signs_from:
        return KeyState.PREPARED
    ended = _end_of_signing(key, keys)
    if now < ended:
        return KeyState.ACTIVE
    return (
        KeyState.RETIRED
        if now < ended + MAX_TOKEN_LIFETIME + CLOCK_SLACK
        else KeyState.REMOVED
    )


def published_keys(keys: Iterable[SigningKey], now: float) -> tuple[SigningKey, ...]:
    """Select the keys of the key set: prepared, active and retired, of all replicas.

    Returns:
        At most `MAX_PUBLISHED` by kid; prepared keys are cut first.
    """
    known = tuple(keys)
    states = {key.kid: key_state(key, known, now) for key in known}
    shown = [key for key in known if states[key.kid] is not KeyState.REMOVED]
    # Only where more replicas than it is meant for prepare keys does one fall away.
    shown.sort(key=lambda key: (states[key.kid] is KeyState.PREPARED, key.signs_from))
    return tuple(sorted(shown[:MAX_PUBLISHED], key=lambda key: key.kid))


def plan_rotation(keys: Iterable[SigningKey], replica: str, now: float) -> RotationStep:
    """Plan the next rotation step of a replica.

    Args:
        keys: Keys of all replicas.
        now: NumericDate.
    """
    known = tuple(keys)
    mine = sorted(
        (key for key in known if key.replica == replica), key=_signing_start_sort_key
    )
    active = active_key_id(mine, replica, now)
    mine = [key for key in mine if not key.killed]
    remove = tuple(
        key.kid
        for key in sorted(known, key=_signing_start_sort_key)
        # Includes keys of replicas that no longer exist.
        if key_state(key, known, now) is KeyState.REMOVED
        and not _is_recently_revoked(key, now)
    )
    changed: tuple[SigningKey, ...] = ()
    if not active:
        ahead = [key for key in mine if key.signs_from > now]
        if ahead:
            # The one that signed was killed: its successor begins at once.
            changed = (_with_signing_start(ahead[0], int(now)),)
            mine = [*changed, *ahead[1:]]
    first = active or (changed[0].kid if changed else "")
    prepare = _plan_next_key(known, mine, replica, now, first)
    if prepare and len(published_keys(known, now)) >= MAX_PUBLISHED:
        prepare = None
    signs = next((key for key in mine if key.kid == first), prepare)
    early = _is_unknown_to_verifiers(signs, known, now)
    # Older keys show whether a verifier may hold an older set.
    return RotationStep(prepare, changed, () if early or not active else remove, early)


def next_key_state_change(keys: Iterable[SigningKey], now: float) -> float:
    """Return the time at which the next key changes its state."""
    known = tuple(keys)
    turns = [now + KEY_LIFETIME]
    for key in known:
        ended = _end_of_signing(key, known)
        turns += [key.signs_from, ended, ended + MAX_TOKEN_LIFETIME + CLOCK_SLACK]
    return min(turn for turn in turns if turn > now)


def _signing_start_sort_key(key: SigningKey) -> tuple[int, bool, int, str]:
    """Return the start of signing and the id, by which keys are sorted."""
    # One that was killed in the second it began comes before its successor.
    return key.signs_from, not key.killed, key.published, key.kid


def _ends_signing_of_predecessor(key: SigningKey) -> bool:
    """Return whether a key ends its predecessor; not if revoked before it was active.

    One that was killed later still ends the one before it: that does not come back.
    """
    return not key.killed or key.killed >= key.signs_from


def _end_of_signing(key: SigningKey, keys: Iterable[SigningKey]) -> int:
    """Return when a key stops signing: when the next key of its replica starts."""
    later = (
        other.signs_from
        for other in keys
        if other.replica == key.replica
        and _ends_signing_of_predecessor(other)
        and _signing_start_sort_key(other) > _signing_start_sort_key(key)
    )
    return min(min(later, default=key.signs_until), key.signs_until)


def _is_recently_revoked(key: SigningKey, now: float) -> bool:
    """Return whether tokens of a revoked key may still be alive."""
    return bool(key.killed) and now < key.killed + MAX_TOKEN_LIFETIME + CLOCK_SLACK


def _with_signing_start(key: SigningKey, begins: int) -> SigningKey:
    """Return the key with a signing period that starts at `begins`."""
    return replace(
        key, signs_from=begins, signs_until=begins + KEY_LIFETIME + MAX_OVERRUN
    )


def _plan_next_key(
    known: tuple[SigningKey, ...],
    own_keys: list[SigningKey],
    replica: str,
    now: float,
    active_kid: str,
) -> SigningKey | None:
    """Return the next key to generate, with its times; None if none is due."""
    if not active_kid:
        begins = int(now)
    elif own_keys[-1].kid == active_kid:
        begins = max(int(now) + LEAD_TIME, own_keys[-1].signs_from + KEY_LIFETIME)
    else:
        return None
    return _with_signing_start(
        SigningKey(
            kid="",
            replica=replica,
            x="",
            y="",
            published=int(now),
            signs_from=begins,
            signs_until=0,
        ),
        begins,
    )


def _is_unknown_to_verifiers(
    signing_key: SigningKey | None, known: tuple[SigningKey, ...], now: float
) -> bool:
    """Return whether verifiers may have cached a key set without this key."""
    if signing_key is None or now >= signing_key.published + LEAD_TIME:
        return False
    # Without an earlier key no verifier has an older set. A key of the same second may
    # be earlier, unless it is the successor.
    return any(
        key.published < signing_key.published
        or (
            key.published == signing_key.published
            and (key.replica != signing_key.replica or key.killed > 0)
        )
        for key in known
    )
