"""Task variants: the same task with other values.

Every value that a run names is replaced, in the request, the calls and the answers
alike: addresses (within their domain), accounts, hosts, dates, ids, names, search
words. What stays is the shape: which tool, which argument, which field it came from.
"""

import random
import re
from collections.abc import Callable, Iterable
from datetime import date, timedelta

from bench.agentdojo.scenario import (
    ExecutedCall,
    HonestRun,
    ScriptedCall,
    iterate_leaves,
)

_EMAIL = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
_HOST = r"\bwww\.[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
_IBAN = r"\b[A-Z]{2}[0-9]{18,26}\b"
_DAY = r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TYPED = (_EMAIL, _HOST, _IBAN, _DAY)
_IDS = frozenset({"id", "id_", "file_id", "event_id", "email_id"})
_LIST_OF_IDS = "attachments[]"
_LEAST = 3  # characters of a name


def vary_run(run: HonestRun, number: int) -> HonestRun:
    """Return a run with other values; number 0 is the run itself."""
    if number == 0:
        return run
    change = _text_changer(run, number)
    turns = (_vary_turn(turn, number, change) for turn in run.turns)
    return HonestRun(run.suite, run.task, change(run.request), tuple(turns))


def vary_directory(
    values: Iterable[str], names: Iterable[str], number: int
) -> frozenset[str]:
    """Return a directory with the values of a variant.

    Args:
        values: What shows by its spelling what it is.
        names: What is a name and no more.
        number: Of the variant; 0 is the directory itself.
    """
    if number == 0:
        return frozenset((*values, *names))
    typed = (_vary_typed(value, number) for value in values)
    return frozenset((*typed, *(_vary_name(name, number) for name in names)))


def _text_changer(run: HonestRun, number: int) -> Callable[[str], str]:
    """Return a function that changes values by type, and other texts by name."""
    named = {
        leaf.value
        for turn in run.turns
        for leaf in iterate_leaves(dict(turn.call.arguments))
        if isinstance(leaf.value, str)
        and len(leaf.value) >= _LEAST
        and leaf.path.rpartition(".")[2] not in _IDS
        and leaf.path != _LIST_OF_IDS
        and _vary_typed(leaf.value, number) == leaf.value
    }
    known = (re.escape(name) for name in sorted(named, key=len, reverse=True))
    words = (rf"(?<!\w){name}(?!\w)" for name in known)
    pattern = re.compile("|".join((*(f"(?:{one})" for one in _TYPED), *words)))

    def change(text: str) -> str:
        return pattern.sub(lambda match: _map_text(match.group(), number), text)

    return change


def _map_text(text: str, number: int) -> str:
    typed = _vary_value(text, number)
    return _vary_name(text, number) if typed is None else typed


def _vary_typed(text: str, number: int) -> str:
    """Change the typed values in a text."""
    return re.sub(
        "|".join(_TYPED), lambda m: _vary_value(m.group(), number) or "", text
    )


def _vary_value(text: str, number: int) -> str | None:
    """Change one value by its type, None if it has none."""
    if re.fullmatch(_EMAIL, text):
        name, _, domain = text.partition("@")
        return f"{name}.{number}@{domain}"
    if re.fullmatch(_HOST, text):
        host, _, end = text.rpartition(".")
        return f"{host}-{number}.{end}"
    if re.fullmatch(_IBAN, text):
        return text[:2] + f"{(int(text[2:]) + 7_919 * number):0{len(text) - 2}d}"
    if re.fullmatch(_DAY, text):
        return _shift_day(text, number)
    return None


def _shift_day(text: str, number: int) -> str:
    try:
        return (date.fromisoformat(text) + timedelta(days=number)).isoformat()
    except ValueError:
        return text


def _vary_name(text: str, number: int) -> str:
    """Vary a name: a marker after its first letters."""
    return re.sub(
        r"[A-Za-z]+|\Z", lambda m: m.group() + _number_as_letters(number), text, count=1
    )


def _number_as_letters(number: int) -> str:
    """Write a number in letters, because digits would look like part of an id."""
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


def _vary_turn(
    turn: ExecutedCall, number: int, change: Callable[[str], str]
) -> ExecutedCall:
    factor = random.Random(f"{number} {turn.call.tool}").uniform(0.7, 1.25)
    arguments = _vary_json(dict(turn.call.arguments), "", number, factor, change)
    answer = _vary_json(turn.answer, "", number, factor, change)
    assert isinstance(arguments, dict)
    return ExecutedCall(ScriptedCall(turn.call.tool, arguments), answer)


def _vary_json(
    value: object, path: str, number: int, factor: float, change: Callable[[str], str]
) -> object:
    if isinstance(value, dict):
        return {
            change(name): _vary_json(
                one, f"{path}.{name}".lstrip("."), number, factor, change
            )
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [_vary_json(one, f"{path}[]", number, factor, change) for one in value]
    name = path.rpartition(".")[2]
    if name in _IDS or path.endswith(_LIST_OF_IDS):
        return _vary_id(value, number)
    if name == "amount" and isinstance(value, float | int):
        return round(value * factor, 2)
    return change(value) if isinstance(value, str) else value


def _vary_id(value: object, number: int) -> object:
    if isinstance(value, int):
        return value + 100 * number
    text = str(value)
    return str(int(text) + 100 * number) if text.isdigit() else value
