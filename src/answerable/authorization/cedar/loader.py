"""Loader of Cedar policy files: the policies in force, or all faults.

Policies with unchanged text are reused from the previous load, so a change to a few
policies of a large set costs only those.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

import msgspec

from answerable.authorization.cedar.approved_schemas import (
    NOTHING_APPROVED,
    Approved,
    stamp,
)
from answerable.authorization.cedar.lexer import Piece, split
from answerable.authorization.cedar.validation import Judged, judge
from answerable.model.cedar_policy import (
    NO_RULES,
    CedarFault,
    CedarFile,
    CedarRule,
    CedarRules,
)

Judge = Callable[[Iterable[Piece], Approved], Sequence[Judged]]

_SHOWN = 300
_OF_ACTION = re.compile(r' for Action::"[^"]*"')
# Message that Cedar adds to every fault in a scope.
_NOTHING = "unable to find an applicable action given the policy scope constraints"


@dataclass(frozen=True, slots=True)
class Read:
    """Result of loading policy files.

    Attributes:
        faults: Faults, in file order.
    """

    rules: CedarRules
    faults: tuple[CedarFault, ...]


@dataclass(slots=True)
class _Policy:
    """Working state of one policy.

    Attributes:
        id: Policy id without the file name.
    """

    file: str
    piece: Piece
    id: str
    rule: CedarRule | None = None
    faults: list[str] = field(default_factory=list)


def read_rules(
    files: Iterable[CedarFile],
    known: Iterable[str],
    before: CedarRules = NO_RULES,
    judged: Judge = judge,
    approved: Approved = NOTHING_APPROVED,
) -> Read:
    """Load policies and collect every fault.

    Args:
        known: Names that a policy may reference: `agent:declared/NAME`, `server:NAME`.
        before: Previous result; unchanged policies are reused.
        judged: Validator, in this process or elsewhere; consumes the texts lazily.
    """
    files = tuple(files)
    faults: list[CedarFault] = []
    policies: list[_Policy] = []
    stamps = {tool: stamp(schema) for tool, schema in approved.items()}
    kept = {
        rule.text: rule
        for rule in before.rules
        if rule.approved == stamps.get(rule.resource, "")
    }
    new: list[_Policy] = []

    def found() -> Iterator[Piece]:
        for file in files:
            for each in _policies(file, faults):
                policies.append(each)
                if each.piece.text not in kept:
                    new.append(each)
                    yield each.piece

    for each, what in zip(new, judged(found(), approved), strict=True):
        each.rule = what.rule
        each.faults += what.faults
    names = frozenset(known)
    for each in policies:
        each.rule = each.rule or kept.get(each.piece.text)
        each.faults += _unknown(each.rule, names) if each.rule is not None else ()
        if len(each.faults) > 1 and _NOTHING in each.faults:
            each.faults.remove(_NOTHING)
    _refuse_twins(policies)
    rules = tuple(_placed(policies))
    faults += (
        CedarFault(each.file, each.piece.line, each.id, shown(what))
        for each in policies
        for what in _once(each.faults)
    )
    return Read(CedarRules(rules, _digest(files)), tuple(faults))


def _once(faults: list[str]) -> list[str]:
    """Drop messages that Cedar repeats for each action."""
    told = {_OF_ACTION.sub("", what): what for what in reversed(faults)}
    return [what for what in dict.fromkeys(faults) if what in told.values()]


def shown(text: str) -> str:
    """Return one printable line of a Cedar message, which may quote the policy."""
    line = "".join(char if char.isprintable() else "?" for char in text)
    return line if len(line) <= _SHOWN else line[:_SHOWN] + "..."


def _digest(files: tuple[CedarFile, ...]) -> str:
    if not files:
        return ""
    said = [[each.name, hashlib.sha256(each.data).hexdigest()] for each in files]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _policies(file: CedarFile, faults: list[CedarFault]) -> Iterator[_Policy]:
    try:
        text = file.data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = file.data[: error.start].count(b"\n") + 1
        faults.append(CedarFault(file.name, line, "", "not UTF-8"))
        return
    for position, piece in enumerate(split(text)):
        yield _Policy(file.name, piece, piece.id or f"policy{position}")


def _placed(policies: list[_Policy]) -> Iterator[CedarRule]:
    for each in policies:
        if each.rule is not None and not each.faults:
            place = f"{each.file}:{each.id}"
            yield msgspec.structs.replace(each.rule, id=place, line=each.piece.line)


def _unknown(rule: CedarRule, names: frozenset[str]) -> Iterator[str]:
    for mention in rule.mentions:
        if mention not in names:
            kind, _, name = mention.partition(":")
            close = get_close_matches(mention, names, n=1, cutoff=0.6)
            hint = f"; did you mean {close[0]}?" if close else ""
            where = "servers" if kind == "server" else "agents"
            name = name.removeprefix("declared/")
            yield f"no such {kind} in {where} (got {name!r}{hint})"


def _refuse_twins(policies: list[_Policy]) -> None:
    seen: dict[tuple[str, str], _Policy] = {}
    for each in policies:
        first = seen.setdefault((each.file, each.id), each)
        if first is not each:
            line = first.piece.line
            each.faults.append(f"the policy of line {line} has the same id")
