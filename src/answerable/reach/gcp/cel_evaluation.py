"""Evaluate CEL with three values: true, false, and open parts as condition atoms.

Values that are not known, and functions that are not read, leave the smallest boolean
expression around them open. `&&` and `||` are those of CEL: `false && x` is false and
`true || x` is true, also if `x` is an error.

Source: https://github.com/google/cel-spec/blob/master/doc/langdef.md, "Logical
Operators", and https://docs.cloud.google.com/iam/docs/conditions-attribute-reference.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from answerable.reach.condition_formula import (
    FALSE,
    TRUE,
    Formula,
    build_atom,
    conjoin,
    disjoin,
    negate,
)
from answerable.reach.gcp.cel_parser import CelNode, parse_cel
from answerable.reach.gcp.cel_values import (
    UNREAD,
    CelError,
    CelList,
    CelValue,
    LaterTime,
    Unknown,
    call_text_method,
    compare_later_time,
    compute_value,
    contains_value,
    is_open,
    order_values,
    parse_timestamp,
)

_MAX_SHOWN = 300


Attributes = Mapping[str, CelValue]
# Decides a call such as `resource.matchTag("a/b", "c")`; None if it is not known.
TagTest = Callable[[str, Sequence[str]], bool | None]


def _know_no_tag(method: str, arguments: Sequence[str]) -> None:
    """Leave every test on tags open."""


@dataclass(frozen=True, slots=True)
class CelContext:
    """Values of an evaluation.

    Attributes:
        values: By dotted name, e.g. `resource.name`; others are not known.
        test_tag: Decides tests on the tags of the resource.
        label: Key of the atoms for open parts without an attribute.
    """

    values: Attributes = field(default_factory=dict)
    test_tag: TagTest = _know_no_tag
    label: str = UNREAD


def evaluate_condition(source: str, context: CelContext) -> Formula:
    """Evaluate a condition: true, false, or the parts that are open."""
    if not source.strip():
        return TRUE
    node = parse_cel(source)
    if node is None:
        return _build_open_atom(context.label, source)
    return _Evaluation(source, context).evaluate_boolean(node)


def evaluate_text(source: str, context: CelContext) -> str | None:
    """Evaluate an attribute mapping to its text; None if it is not known."""
    node = parse_cel(source)
    value = _Evaluation(source, context).evaluate(node) if node else None
    return value if isinstance(value, str) else None


def _build_open_atom(key: str, text: str) -> Formula:
    """Return an open part as an atom."""
    shown = " ".join(text.split())
    if len(shown) > _MAX_SHOWN:
        shown = f"{shown[:_MAX_SHOWN]}..."
    return build_atom(key, "CEL", (shown,))


class _Evaluation:
    """Evaluation of one expression."""

    def __init__(self, source: str, context: CelContext) -> None:
        self._source = source
        self._context = context

    def evaluate_boolean(self, node: CelNode) -> Formula:
        """Evaluate an expression that has to be boolean."""
        value = self.evaluate(node)
        if isinstance(value, frozenset):
            return value
        if isinstance(value, Unknown):
            return _build_open_atom(value.attribute, self._get_text(node))
        return FALSE  # an error, or no boolean

    def evaluate(self, node: CelNode) -> CelValue:
        """Evaluate an expression."""
        return _READERS[node.kind](self, node)

    def _get_text(self, node: CelNode) -> str:
        """Return the source of a node."""
        return self._source[node.start : node.end]

    def read_literal(self, node: CelNode) -> CelValue:
        """Return a literal."""
        if isinstance(node.value, bool):
            return TRUE if node.value else FALSE
        return node.value

    def read_name(self, node: CelNode) -> CelValue:
        """Return the value of a dotted name."""
        name = _get_dotted_name(node)
        if not name:
            inner = self.evaluate(node.children[0])
            return inner if isinstance(inner, (Unknown, CelError)) else CelError()
        return self._context.values.get(name, Unknown(name))

    def read_list(self, node: CelNode) -> CelValue:
        """Return a list."""
        return CelList(tuple(self.evaluate(each) for each in node.children))

    def read_index(self, node: CelNode) -> CelValue:
        """Return a field that is named by a string."""
        key = node.children[1].value
        name = _get_dotted_name(node.children[0])
        if isinstance(key, str) and name:
            full = f"{name}.{key}"
            return self._context.values.get(full, Unknown(full))
        return Unknown(name or self._context.label)

    def read_unary(self, node: CelNode) -> CelValue:
        """Negate a boolean or a number."""
        if node.text == "!":
            value = self.evaluate(node.children[0])
            if isinstance(value, CelError):
                return value
            return negate(self.evaluate_boolean(node.children[0]))
        value = self.evaluate(node.children[0])
        return -value if isinstance(value, (int, float)) else value

    def read_ternary(self, node: CelNode) -> CelValue:
        """Choose a branch; both if the choice is open."""
        test = self.evaluate_boolean(node.children[0])
        if test in (TRUE, FALSE):
            return self.evaluate(node.children[1 if test == TRUE else 2])
        branches = [self.evaluate(each) for each in node.children[1:]]
        if branches[0] == branches[1]:
            return branches[0]
        if all(isinstance(each, frozenset) for each in branches):
            chosen, other = (self.evaluate_boolean(each) for each in node.children[1:])
            return disjoin(conjoin(test, chosen), conjoin(negate(test), other))
        return Unknown(self._context.label)

    def read_binary(self, node: CelNode) -> CelValue:
        """Evaluate an operator."""
        left, right = node.children
        if node.text == "&&":
            return conjoin(self.evaluate_boolean(left), self.evaluate_boolean(right))
        if node.text == "||":
            return disjoin(self.evaluate_boolean(left), self.evaluate_boolean(right))
        values = self.evaluate(left), self.evaluate(right)
        if node.text in ("+", "-", "*", "/", "%"):
            return compute_value(node.text, *values)
        return self._compare_values(node, *values)

    def _compare_values(
        self, node: CelNode, left: CelValue, right: CelValue
    ) -> CelValue:
        """Compare two values."""
        if isinstance(left, CelError) or isinstance(right, CelError):
            return CelError()
        for value in (left, right):
            if isinstance(value, Unknown):
                return _build_open_atom(value.attribute, self._get_text(node))
        if isinstance(left, LaterTime) or isinstance(right, LaterTime):
            held = compare_later_time(node.text, left, right)
        elif node.text == "in":
            held = contains_value(right, left)
        elif node.text in ("==", "!="):
            held = None if is_open(left) or is_open(right) else left == right
            held = (not held) if node.text == "!=" and held is not None else held
        else:
            held = order_values(node.text, left, right)
        if held is None:
            return _build_open_atom(
                _name_attribute(node, self._context), self._get_text(node)
            )
        return TRUE if held else FALSE

    def read_call(self, node: CelNode) -> CelValue:
        """Evaluate a function."""
        values = [self.evaluate(each) for each in node.children]
        first = values[0] if values else None
        if isinstance(first, (Unknown, CelError)):
            return first
        if node.text == "size" and isinstance(first, str):
            return len(first)
        if node.text in ("timestamp", "date") and isinstance(first, str):
            return parse_timestamp(first)
        if node.text == "string" and isinstance(first, str):
            return first
        return Unknown(self._context.label)

    def read_method(self, node: CelNode) -> CelValue:
        """Evaluate a method of a value."""
        owner = _get_dotted_name(node.children[0])
        arguments = [self.evaluate(each) for each in node.children[1:]]
        texts = [each for each in arguments if isinstance(each, str)]
        if owner == "resource" and len(texts) == len(arguments):
            held = self._context.test_tag(node.text, texts)
            if held is not None:
                return TRUE if held else FALSE
            return _build_open_atom("resource.tags", self._get_text(node))
        if owner == "api" and node.text == "getAttribute":
            return Unknown("api.getAttribute")
        value = self.evaluate(node.children[0])
        for each in (value, *arguments):
            if isinstance(each, (Unknown, CelError)):
                return each
        if isinstance(value, LaterTime):
            return Unknown(owner or self._context.label)
        if isinstance(value, str):
            return call_text_method(node.text, value, arguments)
        return Unknown(owner or self._context.label)


_READERS: Mapping[str, Callable[[_Evaluation, CelNode], CelValue]] = {
    "literal": _Evaluation.read_literal,
    "name": _Evaluation.read_name,
    "select": _Evaluation.read_name,
    "list": _Evaluation.read_list,
    "index": _Evaluation.read_index,
    "unary": _Evaluation.read_unary,
    "ternary": _Evaluation.read_ternary,
    "binary": _Evaluation.read_binary,
    "call": _Evaluation.read_call,
    "method": _Evaluation.read_method,
}


def _get_dotted_name(node: CelNode) -> str:
    """Return `a.b.c` of a selection; empty for any other expression."""
    if node.kind == "name":
        return node.text
    if node.kind == "select":
        owner = _get_dotted_name(node.children[0])
        return f"{owner}.{node.text}" if owner else ""
    return ""


def _name_attribute(node: CelNode, context: CelContext) -> str:
    """Return the attribute of an open comparison."""
    names = (_get_dotted_name(each) for each in node.children)
    return next((each for each in names if each), context.label)
