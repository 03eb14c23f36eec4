"""Build the Cedar schema for validation, with argument types inferred from policies.

Entity types, actions and context are fixed. Argument types are inferred from use:
`context.arguments.amount < 5` makes `amount` a number, `context.arguments has amount`
makes it optional. Policies with conflicting types are validated apart. An approved JSON
Schema of the tool overrides inference.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from answerable.authorization.cedar.mcp_actions import RESOURCE_TYPES, WITH_ARGUMENTS

AttributePath = tuple[str, ...]
# Path below `context.arguments` -> Cedar type and whether it may be missing.
ArgumentTypes = Mapping[AttributePath, tuple[str, bool]]

ARGUMENTS: AttributePath = ("context", "arguments")
RESOURCE_NAME: AttributePath = ("resource", "name")
RECORD_TYPE = "record"
ABSENT_TYPE = "absent"  # there is no such member
_UNKNOWN = "String"
_NUMBERS = frozenset({"<", "<=", ">", ">=", "+", "-", "*", "neg"})
_SETS = frozenset({"containsAll", "containsAny"})
_FLAGS = frozenset({"&&", "||", "!"})

_ENTITIES = """\
entity Agent;
entity Person;
entity Identity;
entity Server { name: String };
entity Tool in [Server] { name: String };
entity Resource in [Server] { name: String };
entity Prompt in [Server] { name: String };
"""
_CALLER_ATTRIBUTES = "identity?: Identity, person?: Person"


class WholeArguments(ValueError):  # noqa: N818 - it is what it says
    """A policy uses `context` or `context.arguments` as a whole value."""


def build_cedar_schema(argument_types: ArgumentTypes, only_action: str = "") -> str:
    """Build the schema text for the given argument types.

    Args:
        only_action: The one method to include; empty for all.
    """
    arguments = _render_record_type(argument_types, ())
    lines = [_ENTITIES]
    for action in (only_action,) if only_action else RESOURCE_TYPES:
        kinds = RESOURCE_TYPES[action]
        context = _CALLER_ATTRIBUTES
        if action in WITH_ARGUMENTS:
            context += f", arguments: {arguments}"
        lines.append(
            f"action {_quote_cedar_string(action)} appliesTo {{ principal: [Agent], "
            f"resource: [{', '.join(kinds)}], context: {{ {context} }} }};\n"
        )
    return "".join(lines)


def infer_argument_types(conditions: list[dict[str, Any]]) -> ArgumentTypes:
    """Infer the type of each argument that a policy reads.

    Raises:
        WholeArguments: The policy reads the arguments as one value.
    """
    found: dict[AttributePath, tuple[str, bool]] = {}
    for each in conditions:
        _collect_path_types(each["body"], "Bool", found)
    for path in list(found):
        for end in range(1, len(path)):
            may_miss = found.get(path[:end], ("", False))[1]
            found[path[:end]] = (RECORD_TYPE, may_miss)
    return found


def have_compatible_types(one: ArgumentTypes, other: ArgumentTypes) -> bool:
    """Return whether two policies agree on the type of every shared argument."""
    few, many = sorted((one, other), key=len)
    return all(many.get(path, use) == use for path, use in few.items())


def _collect_path_types(
    node: Mapping[str, Any], expected_type: str, types_by_path: dict[AttributePath, Any]
) -> None:
    """Collect the type that each operator expects of the paths below a node."""
    ((word, given),) = node.items()
    path = attribute_path(node)
    if path is not None:
        _record_path_type(path, expected_type, types_by_path)
    elif word == "has":
        held = attribute_path(given["left"])
        if held is None:
            _collect_path_types(given["left"], _UNKNOWN, types_by_path)
        elif held[:2] == ARGUMENTS:
            _record_path_type((*held, given["attr"]), "", types_by_path)
    elif word == "if-then-else":
        _collect_path_types(given["if"], "Bool", types_by_path)
        _collect_path_types(given["then"], expected_type, types_by_path)
        _collect_path_types(given["else"], expected_type, types_by_path)
    else:
        for each, kind in _operand_types(word, given):
            _collect_path_types(each, kind, types_by_path)


def _operand_types(
    operator: str, operands: Any
) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield the operands of an operator with the type it expects."""
    if isinstance(operands, list):  # members of a set, arguments of an extension
        yield from ((each, _UNKNOWN) for each in operands)
    elif operator == "Record":
        yield from ((each, _UNKNOWN) for each in operands.values())
    elif operator in ("Value", "Var", "Slot") or not isinstance(operands, dict):
        return
    elif operator in ("==", "!="):
        left, right = operands["left"], operands["right"]
        yield from ((left, _literal_type(right)), (right, _literal_type(left)))
    elif operator == "contains":
        left, right = operands["left"], operands["right"]
        yield left, f"Set<{_literal_type(right)}>"
        yield right, _set_item_type(left)
    elif operator in _SETS:
        left, right = operands["left"], operands["right"]
        yield left, f"Set<{_set_item_type(right)}>"
        yield right, f"Set<{_set_item_type(left)}>"
    else:
        kind = (
            "Long"
            if operator in _NUMBERS
            else "Bool"
            if operator in _FLAGS
            else _UNKNOWN
        )
        kind = f"Set<{_UNKNOWN}>" if operator == "isEmpty" else kind
        for side in ("left", "right", "arg"):
            if isinstance(operands.get(side), dict):
                yield operands[side], kind


def attribute_path(node: Mapping[str, Any]) -> AttributePath | None:
    """Return the path of an attribute access such as `context.a.b`; else None."""
    names: list[str] = []
    while "." in node:
        names.append(node["."]["attr"])
        node = node["."]["left"]
    return (node["Var"], *reversed(names)) if "Var" in node else None


def _record_path_type(
    path: AttributePath, expected_type: str, types_by_path: dict[AttributePath, Any]
) -> None:
    """Record a use of a path; `expected_type` is empty for an existence test."""
    if path[:1] != ARGUMENTS[:1]:
        return
    if path in (ARGUMENTS[:1], ARGUMENTS):
        raise WholeArguments
    if path[:2] != ARGUMENTS:
        return
    below = path[2:]
    kind, may_miss = types_by_path.get(below, ("", False))
    types_by_path[below] = (kind or expected_type, may_miss or not expected_type)


def _literal_type(node: Mapping[str, Any]) -> str:
    """Return the Cedar type of a literal expression."""
    ((word, given),) = node.items()
    match word, given:
        case "Value", bool():
            return "Bool"
        case "Value", int():
            return "Long"
        case "Value", {"__entity": {"type": str(kind)}}:
            return kind
        case "Set", _:
            return f"Set<{_set_item_type(node)}>"
        case _ if word in _NUMBERS and word in ("+", "-", "*", "neg"):
            return "Long"
    return _UNKNOWN


def _set_item_type(node: Mapping[str, Any]) -> str:
    """Return the type of a set's items, taken from its first item."""
    items = node.get("Set")
    return _literal_type(items[0]) if items else _UNKNOWN


def _render_record_type(argument_types: ArgumentTypes, parent: AttributePath) -> str:
    """Format the record type of the arguments below a path as Cedar schema text."""
    members = []
    for path, (kind, may_miss) in sorted(argument_types.items()):
        if (
            len(path) == len(parent) + 1
            and path[: len(parent)] == parent
            and kind != ABSENT_TYPE
        ):
            said = (
                _render_record_type(argument_types, path)
                if kind == RECORD_TYPE
                else kind or _UNKNOWN
            )
            members.append(
                f"{_quote_cedar_string(path[-1])}{'?' if may_miss else ''}: {said}"
            )
    return "{ " + ", ".join(members) + " }"


def _quote_cedar_string(name: str) -> str:
    """Quote a name as a Cedar string, with control characters escaped."""
    escaped = "".join(
        char if char.isprintable() and char not in '"\\' else f"\\u{{{ord(char):x}}}"
        for char in name
    )
    return f'"{escaped}"'
