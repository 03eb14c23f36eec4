"""Load Cedar policy files; return the policies in force, or every fault in them.

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
    NO_APPROVED_SCHEMAS,
    ApprovedSchemas,
    schema_digest,
)
from answerable.authorization.cedar.lexer import PolicyText, split_policies
from answerable.authorization.cedar.validation import ValidatedPolicy, validate_policies
from answerable.model.cedar_policy import (
    NO_CEDAR_POLICIES,
    CedarFault,
    CedarFile,
    CedarPolicy,
    CedarPolicySet,
)

PolicyValidator = Callable[
    [Iterable[PolicyText], ApprovedSchemas], Sequence[ValidatedPolicy]
]

_MAX_MESSAGE = 300
_ACTION_SUFFIX = re.compile(r' for Action::"[^"]*"')
# Message that Cedar adds to every fault in a scope.
_NOTHING = "unable to find an applicable action given the policy scope constraints"


@dataclass(frozen=True, slots=True)
class LoadedPolicies:
    """Result of loading policy files.

    Attributes:
        faults: Faults, in file order.
    """

    rules: CedarPolicySet
    faults: tuple[CedarFault, ...]


@dataclass(slots=True)
class _PolicyInFile:
    """Working state of one policy.

    Attributes:
        id: Policy id without the file name.
    """

    file: str
    piece: PolicyText
    id: str
    rule: CedarPolicy | None = None
    faults: list[str] = field(default_factory=list)


def load_policies(
    files: Iterable[CedarFile],
    known_names: Iterable[str],
    previous: CedarPolicySet = NO_CEDAR_POLICIES,
    validate: PolicyValidator = validate_policies,
    approved_schemas: ApprovedSchemas = NO_APPROVED_SCHEMAS,
) -> LoadedPolicies:
    """Parse and validate Cedar policy files, and collect every fault.

    Args:
        known_names: Names that policies may use: `agent:declared/NAME`, `server:NAME`.
        previous: Previous result; unchanged policies are reused.
        validate: Validator, in this process or elsewhere; consumes the texts lazily.
    """
    files = tuple(files)
    faults: list[CedarFault] = []
    policies: list[_PolicyInFile] = []
    stamps = {tool: schema_digest(schema) for tool, schema in approved_schemas.items()}
    kept = {
        rule.text: rule
        for rule in previous.rules
        if rule.approved == stamps.get(rule.resource, "")
    }
    new: list[_PolicyInFile] = []

    def found() -> Iterator[PolicyText]:
        for file in files:
            for each in _split_policy_file(file, faults):
                policies.append(each)
                if each.piece.text not in kept:
                    new.append(each)
                    yield each.piece

    for each, what in zip(new, validate(found(), approved_schemas), strict=True):
        each.rule = what.rule
        each.faults += what.faults
    names = frozenset(known_names)
    for each in policies:
        each.rule = each.rule or kept.get(each.piece.text)
        each.faults += (
            _find_unknown_servers_and_agents(each.rule, names)
            if each.rule is not None
            else ()
        )
        if len(each.faults) > 1 and _NOTHING in each.faults:
            each.faults.remove(_NOTHING)
    _reject_duplicate_ids(policies)
    rules = tuple(_iterate_valid_rules(policies))
    faults += (
        CedarFault(each.file, each.piece.line, each.id, shorten_cedar_message(what))
        for each in policies
        for what in _deduplicate_faults(each.faults)
    )
    return LoadedPolicies(
        CedarPolicySet(rules, _policy_files_digest(files)), tuple(faults)
    )


def _deduplicate_faults(faults: list[str]) -> list[str]:
    """Drop messages that Cedar repeats for each action."""
    told = {_ACTION_SUFFIX.sub("", what): what for what in reversed(faults)}
    return [what for what in dict.fromkeys(faults) if what in told.values()]


def shorten_cedar_message(text: str) -> str:
    """Return one printable line of a Cedar message, which may quote the policy."""
    line = "".join(char if char.isprintable() else "?" for char in text)
    return line if len(line) <= _MAX_MESSAGE else line[:_MAX_MESSAGE] + "..."


def _policy_files_digest(files: tuple[CedarFile, ...]) -> str:
    """Return the SHA-256 over names and contents of the files; empty for none."""
    if not files:
        return ""
    said = [[each.name, hashlib.sha256(each.data).hexdigest()] for each in files]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _split_policy_file(
    file: CedarFile, faults: list[CedarFault]
) -> Iterator[_PolicyInFile]:
    """Yield the policies of a file; a file that is not UTF-8 is a fault."""
    try:
        text = file.data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = file.data[: error.start].count(b"\n") + 1
        faults.append(CedarFault(file.name, line, "", "not UTF-8"))
        return
    for position, piece in enumerate(split_policies(text)):
        yield _PolicyInFile(file.name, piece, piece.id or f"policy{position}")


def _iterate_valid_rules(policies: list[_PolicyInFile]) -> Iterator[CedarPolicy]:
    """Yield the policies without faults, with `FILE:ID` as their id."""
    for each in policies:
        if each.rule is not None and not each.faults:
            place = f"{each.file}:{each.id}"
            yield msgspec.structs.replace(each.rule, id=place, line=each.piece.line)


def _find_unknown_servers_and_agents(
    rule: CedarPolicy, names: frozenset[str]
) -> Iterator[str]:
    """Yield a fault for each server or agent that the configuration lacks."""
    for mention in rule.mentions:
        if mention not in names:
            kind, _, name = mention.partition(":")
            close = get_close_matches(mention, names, n=1, cutoff=0.6)
            hint = f"; did you mean {close[0]}?" if close else ""
            where = "servers" if kind == "server" else "agents"
            name = name.removeprefix("declared/")
            yield f"{kind} not defined under {where} (got {name!r}{hint})"


def _reject_duplicate_ids(policies: list[_PolicyInFile]) -> None:
    """Add a fault to a policy whose id occurred before in its file."""
    seen: dict[tuple[str, str], _PolicyInFile] = {}
    for each in policies:
        first = seen.setdefault((each.file, each.id), each)
        if first is not each:
            line = first.piece.line
            each.faults.append(f"the policy of line {line} has the same id")
