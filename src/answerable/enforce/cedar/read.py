"""Files -> the policies in force, or every fault of them.

What was read before and has the same text is not read again: a large set of which a
few policies changed costs those few.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import msgspec

from answerable.enforce.cedar.conditions import compile_conditions
from answerable.enforce.cedar.lexis import Piece, parted, split
from answerable.enforce.cedar.schema import (
    Uses,
    WholeArguments,
    go_together,
    schema_text,
    uses_of,
)
from answerable.enforce.cedar.scopes import (
    mention_of,
    misnamed,
    named_entities,
    scope_of,
)
from answerable.model.cedar import (
    NO_RULES,
    CedarFault,
    CedarFile,
    CedarRule,
    CedarRules,
)
from answerable.model.decision import Effect, Layer

ASK = "ask"
BATCH = 100  # policies that Cedar reads at once: a few ms, in which others wait
_SHOWN = 300
_OF_ACTION = re.compile(r' for Action::"[^"]*"')
# What Cedar says beside what it has found wrong with a head.
_NOTHING = "unable to find an applicable action given the policy scope constraints"


@dataclass(frozen=True, slots=True)
class Read:
    """What was made of the files.

    Attributes:
        rules: What is right of them.
        faults: What is not, in the order of the files.
    """

    rules: CedarRules
    faults: tuple[CedarFault, ...]


@dataclass(slots=True)
class _Policy:
    """One policy on its way.

    Attributes:
        file: Name of its file.
        piece: Its text.
        id: Of the policy, without the file.
        parsed: Cedar's JSON form.
        rule: What it has become.
        uses: What arguments it reads.
        faults: What is wrong.
    """

    file: str
    piece: Piece
    id: str
    parsed: Mapping[str, Any] | None = None
    rule: CedarRule | None = None
    uses: Uses = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def read_rules(
    files: Iterable[CedarFile], known: Iterable[str], before: CedarRules = NO_RULES
) -> Read:
    """Read policies, and name everything that is wrong with them.

    Args:
        files: In order.
        known: What a policy may name of the configuration: `agent:declared/NAME`,
            `server:NAME`.
        before: What was read last; what is unchanged is taken from there.
    """
    files = tuple(files)
    faults: list[CedarFault] = []
    policies: list[_Policy] = []
    for file in files:
        try:
            text = file.data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = file.data[: error.start].count(b"\n") + 1
            faults.append(CedarFault(file.name, line, "", "not UTF-8"))
            continue
        policies += _policies(file.name, text)
    kept = {rule.text: rule for rule in before.rules}
    new = [each for each in policies if each.piece.text not in kept]
    _parse(new)
    for each in new:
        if each.parsed is not None:
            _take(each, each.parsed)
    _validate([each for each in new if each.rule is not None])
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
    """Leave out what Cedar says again for each of many actions."""
    told = {_OF_ACTION.sub("", what): what for what in reversed(faults)}
    return [what for what in dict.fromkeys(faults) if what in told.values()]


def shown(text: str) -> str:
    """One line of what Cedar says, in which a policy's own text may stand."""
    line = "".join(char if char.isprintable() else "?" for char in text)
    return line if len(line) <= _SHOWN else line[:_SHOWN] + "..."


def _digest(files: tuple[CedarFile, ...]) -> str:
    if not files:
        return ""
    said = [[each.name, hashlib.sha256(each.data).hexdigest()] for each in files]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _policies(file: str, text: str) -> Iterator[_Policy]:
    for position, piece in enumerate(split(text)):
        yield _Policy(file, piece, piece.id or f"policy{position}")


def _placed(policies: list[_Policy]) -> Iterator[CedarRule]:
    for each in policies:
        if each.rule is not None and not each.faults:
            place = f"{each.file}:{each.id}"
            yield msgspec.structs.replace(each.rule, id=place, line=each.piece.line)


# Cedar's own reading.


def _parse(policies: list[_Policy]) -> None:
    for start in range(0, len(policies), BATCH):
        batch = policies[start : start + BATCH]
        if not _parse_together(batch):
            for each in batch:
                _parse_alone(each)


def _parse_together(batch: list[_Policy]) -> bool:
    if any(each.piece.open_line for each in batch):
        return False
    try:
        found = _parsed("\n".join(each.piece.text for each in batch))
    except ValueError:
        return False
    if len(found) != len(batch):
        return False
    for each, parsed in zip(batch, found, strict=True):
        each.parsed = parsed
    return True


def _parse_alone(policy: _Policy) -> None:
    piece = policy.piece
    why = _wrong(piece)
    if not why:
        (policy.parsed,) = _parsed(piece.text)
        return
    if not piece.heads:
        policy.faults.append(why)
        return
    # Several policies in one: each is looked at by itself.
    *those, last = parted(piece)
    for each in those:
        whole = Piece(each.text + ";", each.line, each.id, each.open_line, True, ())
        said = f" of `{each.id}`" if each.id and each.id != policy.id else ""
        where = f" (line {each.line})" if each.line != piece.line else ""
        what = _wrong(whole) or "no `;` at its end"
        policy.faults.append(f"{what}{said}{where}")
    if what := _wrong(last):
        said = f" of `{last.id}`" if last.id else ""
        policy.faults.append(f"{what}{said} (line {last.line})")


def _wrong(piece: Piece) -> str:
    """Say what is wrong with the text of one policy; empty where nothing is."""
    if piece.open_line:
        where = "" if piece.open_line == piece.line else f" {piece.open_line}"
        return f"a string does not end on its line{where}"
    if not piece.ended:
        return "no `;` at its end"
    try:
        found = _parsed(piece.text)
    except ValueError as error:
        return str(error)
    return "" if len(found) == 1 else "one policy was expected"


def _parsed(text: str) -> list[Mapping[str, Any]]:
    """Have Cedar read a text; templates count, and are found by their slots.

    Raises:
        ValueError: It is no Cedar.
    """
    import cedarpy  # 0.1 s, where there are policies alone

    found = json.loads(cedarpy.policies_to_json_str(text))
    both = {**found["templates"], **found["staticPolicies"]}
    return [both[f"policy{position}"] for position in range(len(both))]


# What it comes to.


def _take(policy: _Policy, parsed: Mapping[str, Any]) -> None:
    if any(_has_slot(parsed[key]) for key in ("principal", "resource")):
        policy.faults.append("a template: it would allow nothing")
        return
    asks = ASK in parsed.get("annotations", {})
    if asks and parsed["effect"] == "permit":
        policy.faults.append("`@ask` stands before a forbid that an owner may lift")
        return
    try:
        policy.uses = uses_of(parsed["conditions"])
    except WholeArguments:
        what = "`context` and `context.arguments` are read by member"
        policy.faults.append(what)
        return
    except RecursionError:
        policy.faults.append("nested too deeply")
        return
    said = [parsed[key] for key in ("principal", "resource", "conditions")]
    entities = dict.fromkeys(named_entities(said))
    policy.faults += [what for each in entities if (what := misnamed(*each))]
    policy.rule = _rule(policy, parsed, tuple(entities), asks=asks)


def _has_slot(scope: Mapping[str, Any]) -> bool:
    return "slot" in scope or "slot" in scope.get("in", {})


def _rule(
    policy: _Policy,
    parsed: Mapping[str, Any],
    entities: tuple[tuple[str, str], ...],
    *,
    asks: bool,
) -> CedarRule:
    scope = scope_of(parsed)
    conditions = parsed["conditions"]
    layer, compiled = Layer.TABLE, b""
    if conditions:
        simple = compile_conditions(conditions) is not None
        layer = Layer.CONSTRAINT if simple else Layer.CEDAR
        compiled = json.dumps(conditions).encode() if simple else b""
    denies = Effect.ASK if asks else Effect.DENY
    mentions = (mention_of(*each) for each in entities if not misnamed(*each))
    return CedarRule(
        id="",
        line=0,
        effect=Effect.ALLOW if parsed["effect"] == "permit" else denies,
        principal=scope.principal,
        actions=scope.actions,
        resource=scope.resource,
        kind=scope.kind,
        layer=layer,
        conditions=compiled,
        text=policy.piece.text,
        mentions=tuple(sorted({each for each in mentions if each})),
        reads=tuple(sorted({path[0] for path in policy.uses})),
    )


def _validate(policies: list[_Policy]) -> None:
    """Have Cedar hold policies against the schema, those together that may be."""
    groups: list[tuple[dict[Any, Any], list[_Policy]]] = []
    for each in policies:
        for uses, members in groups:
            if go_together(uses, each.uses):
                uses.update(each.uses)
                members.append(each)
                break
        else:
            groups.append((dict(each.uses), [each]))
    for uses, members in groups:
        _validate_group(uses, members)


def _validate_group(uses: Uses, members: list[_Policy]) -> None:
    import cedarpy

    schema = cedarpy.Schema.from_str(schema_text(uses))
    for start in range(0, len(members), BATCH):
        batch = members[start : start + BATCH]
        text = "\n".join(each.piece.text for each in batch)
        found = cedarpy.validate_policies(text, schema)
        for error in found.errors:
            position = int(error.policy_id.removeprefix("policy"))
            said = error.error.removeprefix(f"for policy `{error.policy_id}`, ")
            batch[position].faults.append(said)
        if not found.validation_passed and not found.errors:
            for each in batch:
                each.faults.append("Cedar does not take it, and does not say why")


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
