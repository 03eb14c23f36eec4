"""Conditions and globs of the reference evaluation, independent of the engine.

Source: AWS IAM User Guide, "IAM JSON policy elements: Condition operators" and "Set
operators for multi-valued context keys". What cannot be decided is `None`.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from answerable.model.policy import ConditionClause

Keys = dict[str, tuple[str, ...]]
Fill = Callable[[str, Keys], tuple[str, list[str], bool]]
Test = Callable[[str, str], bool]


@lru_cache(maxsize=1 << 16)
def glob(pattern: str, text: str) -> bool:
    """Match `*` and `?`; a letter after a NUL is that letter.

    Keeps every place in the pattern where the text read so far may stand.
    """
    letters: list[str] = []
    position = 0
    while position < len(pattern):
        if pattern[position] == "\0" and position + 1 < len(pattern):
            position += 1
            letters.append("\0" + pattern[position])
        else:
            letters.append(pattern[position])
        position += 1
    places = _skipping({0}, letters)
    for letter in text:
        moved = set()
        for place in places:
            if place < len(letters):
                wanted = letters[place]
                if wanted == "*":
                    moved.add(place)
                elif wanted in ("?", letter, "\0" + letter):
                    moved.add(place + 1)
        places = _skipping(moved, letters)
    return len(letters) in places


def _skipping(places: set[int], letters: list[str]) -> set[int]:
    found = set(places)
    for place in places:
        following = place
        while following < len(letters) and letters[following] == "*":
            following += 1
            found.add(following)
    return found


def clause_holds(
    clause: ConditionClause, given: tuple[str, ...], keys: Keys, fill: Fill
) -> bool | None:
    """Decide one line of a Condition block; None when it cannot be decided."""
    quantifier, colon, name = clause.operator.lower().rpartition(":")
    if colon and quantifier not in ("forallvalues", "foranyvalue"):
        return None
    if name == "null":
        return _null(clause.values, given)
    lenient = name.endswith("ifexists")
    name = name.removesuffix("ifexists")
    if name not in OPERATORS:
        return None
    negative, test, filled = OPERATORS[name]
    if not given or (quantifier and not any(given)):
        return _missing(quantifier, lenient, negative)
    pairs = [
        [_pair(test, v, g, keys, fill, filled) for v in clause.values] for g in given
    ]
    fits = [some(row) for row in pairs]
    if negative:
        fits = [None if fit is None else not fit for fit in fits]
    # A negated operator compares with none of the values: it must hold for each.
    whole = quantifier == "forallvalues" or (negative and not quantifier)
    return every(fits) if whole else some(fits)


# The longest that temporary credentials last: AWS STS API Reference, "GetSessionToken".
_SESSION = 129_600
# Under this name, which is no condition key, requests hold when policies were seen.
SEEN = "seen at"


def decided_by_time(clause: ConditionClause, seen: Decimal) -> bool | None:
    """Decide a date condition that every request since a policy was seen answers alike.

    Tries the first moment there may be, the moments around each that is named, and one
    after all of them; for the time of issue, requests without a token as well.

    Source: IAM User Guide, "AWS global condition context keys", availability of
    aws:CurrentTime, aws:EpochTime ("always included in the request context") and
    aws:TokenIssueTime ("only when the principal uses temporary credentials").
    """
    key = clause.key.lower()
    family = clause.operator.lower().rpartition(":")[2]
    families = {
        "aws:currenttime": ("date",),
        "aws:epochtime": ("date", "numeric"),
        "aws:tokenissuetime": ("date",),
    }
    if not family.startswith(families.get(key, ("nothing",))):
        return None
    issued = key == "aws:tokenissuetime"
    first = seen - (_SESSION if issued else 0)
    moments = {first}
    for value in clause.values:
        with suppress(ValueError):
            named = _number(value) if family.startswith("numeric") else _date(value)
            moments |= {named - 1, named, named + 1}
    moments.add(max(moments) + 1)
    given = [(str(one),) for one in moments if one >= first] + ([()] if issued else [])
    found = {clause_holds(clause, each, {}, _unfilled) for each in given}
    return found.pop() if len(found) == 1 else None


def _unfilled(text: str, keys: Keys) -> tuple[str, list[str], bool]:
    return text, [], False


def _null(wanted: tuple[str, ...], given: tuple[str, ...]) -> bool | None:
    words = {value.lower() for value in wanted}
    if not words <= {"true", "false"} or (given and not any(given)):
        return None
    return ("false" if given else "true") in words


def _missing(quantifier: str, lenient: bool, negative: bool) -> bool | None:
    """What holds of a key that is not there."""
    if quantifier == "forallvalues":
        # The table of negated operators says "no match", the text "true".
        return None if negative and not lenient else True
    if quantifier == "foranyvalue":
        return None if lenient else False
    return lenient or negative


def some(found: Iterable[bool | None]) -> bool | None:
    """Return whether any holds, when some may not be decided."""
    all_of = list(found)
    return True if True in all_of else None if None in all_of else False


def every(found: Iterable[bool | None]) -> bool | None:
    """Return whether all hold, when some may not be decided."""
    all_of = list(found)
    return False if False in all_of else None if None in all_of else True


def _pair(
    test: Test, wanted: str, got: str, keys: Keys, fill: Fill, filled: bool
) -> bool | None:
    if filled:
        wanted, unknown, void = fill(wanted, keys)
        if void or unknown:
            return False if void else None
    try:
        return test(wanted, got)
    except ValueError:
        return None


def _plain(wanted: str, got: str) -> bool:
    return wanted.replace("\0", "") == got


def _folded(wanted: str, got: str) -> bool:
    return wanted.replace("\0", "").casefold() == got.casefold()


def _bool(wanted: str, got: str) -> bool:
    words = wanted.replace("\0", "").lower(), got.lower()
    if not set(words) <= {"true", "false"}:
        raise ValueError("not a truth value")
    return words[0] == words[1]


def _binary(wanted: str, got: str) -> bool:
    try:
        mine = base64.b64decode(wanted, validate=True)
        return mine == base64.b64decode(got, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _arn(wanted: str, got: str) -> bool:
    if wanted == "*":
        return True
    mine, theirs = wanted.split(":", 5), got.split(":", 5)
    if len(mine) < 6:
        raise ValueError("an ARN has six parts")
    return len(theirs) == 6 and all(map(glob, mine, theirs))


def _address(wanted: str, got: str) -> bool:
    if not re.fullmatch(r"[^/]+(/[0-9]+)?", wanted):
        raise ValueError("a range is ADDRESS/LENGTH")
    return ipaddress.ip_address(got) in ipaddress.ip_network(wanted, strict=False)


def _number(text: str) -> Decimal:
    if not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", text):
        raise ValueError("not a number")
    return Decimal(text)


_DATES = ("%Y-%m", "%Y-%m-%d", "%Y-%m-%dT%H:%M%z", "%Y-%m-%dT%H:%M:%S%z")


def _date(text: str) -> Decimal:
    """Seconds since 1970: as such, or in a form of the W3C's note on dates."""
    if re.fullmatch(r"[0-9]{4}", text):
        raise ValueError("a year, or seconds?")
    if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", text):
        return Decimal(text)
    parts = re.fullmatch(r"([0-9T:-]*:[0-9]{2})\.([0-9]+)(Z|[+-][0-9:]{5})", text)
    whole, fraction = (parts[1] + parts[3], parts[2]) if parts else (text, "0")
    digits = re.sub(r"[0-9]", "0", whole)
    shapes = ("0000-00", "0000-00-00", "0000-00-00T00:00", "0000-00-00T00:00:00")
    zoned = re.sub(r"(Z|[+-]00:00)$", "", digits) if "T" in digits else digits
    if zoned not in shapes or ("T" in digits) != (zoned != digits):
        raise ValueError("not a date")
    moment = datetime.strptime(whole, _DATES[shapes.index(zoned)])  # noqa: DTZ007 - the zone is in the text, or UTC
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return Decimal(int(moment.timestamp())) + Decimal(f"0.{fraction}")


def _ordered(read: Callable[[str], Decimal]) -> dict[str, tuple[bool, Test, bool]]:
    return {
        "equals": (False, lambda wanted, got: read(got) == read(wanted), False),
        "notequals": (True, lambda wanted, got: read(got) == read(wanted), False),
        "lessthan": (False, lambda wanted, got: read(got) < read(wanted), False),
        "lessthanequals": (False, lambda want, got: read(got) <= read(want), False),
        "greaterthan": (False, lambda wanted, got: read(got) > read(wanted), False),
        "greaterthanequals": (False, lambda want, got: read(got) >= read(want), False),
    }


OPERATORS: dict[str, tuple[bool, Test, bool]] = {
    "stringequals": (False, _plain, True),
    "stringnotequals": (True, _plain, True),
    "stringequalsignorecase": (False, _folded, True),
    "stringnotequalsignorecase": (True, _folded, True),
    "stringlike": (False, glob, True),
    "stringnotlike": (True, glob, True),
    "arnequals": (False, _arn, True),
    "arnlike": (False, _arn, True),
    "arnnotequals": (True, _arn, True),
    "arnnotlike": (True, _arn, True),
    "bool": (False, _bool, True),
    "binaryequals": (False, _binary, False),
    "ipaddress": (False, _address, False),
    "notipaddress": (True, _address, False),
}
"""By name: whether it is negated, its test, and whether it resolves variables."""
OPERATORS |= {f"numeric{name}": row for name, row in _ordered(_number).items()}
OPERATORS |= {f"date{name}": row for name, row in _ordered(_date).items()}
