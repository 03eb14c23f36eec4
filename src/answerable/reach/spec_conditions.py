"""Conditions and globs for the readable rules; nothing here is used by the engine."""

import ipaddress
from collections.abc import Callable
from datetime import datetime

from answerable.model.policy import ConditionClause

Keys = dict[str, tuple[str, ...]]
Fill = Callable[[str, Keys], tuple[str, list[str], bool]]


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
    operator = clause.operator.lower()
    every = operator.startswith("forallvalues:")
    some = operator.startswith("foranyvalue:")
    operator = operator.removeprefix("forallvalues:").removeprefix("foranyvalue:")
    if operator == "null":
        wanted = [value.lower() for value in clause.values]
        if any(value not in ("true", "false") for value in wanted):
            return None
        return ("false" if given else "true") in wanted
    lenient = operator.endswith("ifexists")
    operator = operator.removesuffix("ifexists")
    negative = "not" in operator
    positive = operator.replace("not", "")
    if positive not in _TESTS:
        return None
    if not given:
        return lenient or every or (negative and not some)
    values = []
    for value in clause.values:
        filled, unknown, void = fill(value, keys)
        if unknown:
            return None
        if not void:
            values.append(filled)
    try:
        fits = [any(_TESTS[positive](v, g) for v in values) for g in given]
    except ValueError:
        return None
    if negative:
        fits = [not fit for fit in fits]
    return all(fits) if every or (negative and not some) else any(fits)


def _plain(wanted: str, got: str) -> bool:
    return wanted.replace("\0", "") == got


def _folded(wanted: str, got: str) -> bool:
    return wanted.replace("\0", "").casefold() == got.casefold()


def _arn(wanted: str, got: str) -> bool:
    mine, theirs = wanted.split(":", 5), got.split(":", 5)
    if wanted.strip("*") == "" and wanted:
        return True
    mine += ["*"] * (6 - len(mine))
    return len(theirs) == 6 and all(map(glob, mine, theirs))


def _address(wanted: str, got: str) -> bool:
    return ipaddress.ip_address(got) in ipaddress.ip_network(wanted, strict=False)


def _date(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a date without an offset")
    return moment.timestamp()


_TESTS: dict[str, Callable[[str, str], bool]] = {
    "stringequals": _plain,
    "stringequalsignorecase": _folded,
    "stringlike": glob,
    "arnequals": _arn,
    "arnlike": _arn,
    "bool": _folded,
    "binaryequals": _plain,
    "ipaddress": _address,
}


def _ordered(read: Callable[[str], float]) -> dict[str, Callable[[str, str], bool]]:
    return {
        "equals": lambda wanted, got: read(got) == read(wanted),
        "lessthan": lambda wanted, got: read(got) < read(wanted),
        "lessthanequals": lambda wanted, got: read(got) <= read(wanted),
        "greaterthan": lambda wanted, got: read(got) > read(wanted),
        "greaterthanequals": lambda wanted, got: read(got) >= read(wanted),
    }


_TESTS |= {f"numeric{name}": test for name, test in _ordered(float).items()}
_TESTS |= {f"date{name}": test for name, test in _ordered(_date).items()}
