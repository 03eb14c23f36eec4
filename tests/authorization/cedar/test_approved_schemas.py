"""Policies about a tool that a person has approved are held to its arguments."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.authorization.cedar.approved_schemas import (
    NO_APPROVED_SCHEMAS,
    ApprovedSchemas,
    parse_argument_schema,
)
from answerable.authorization.cedar.loader import LoadedPolicies, load_policies
from answerable.model.cedar_policy import NO_CEDAR_POLICIES, CedarFile, CedarPolicySet
from tests.authorization.cedar.policy_strategies import KNOWN

_TOOL = "tool:mcp/files/read"
_SCHEMA = {
    "type": "object",
    "properties": {
        "path": {"type": "string"},
        "limit": {"type": ["integer", "null"]},
        "flag": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "opts": {
            "type": "object",
            "properties": {"kind": {"type": "string"}},
            "required": ["kind"],
        },
        "any": {"description": "whatever"},
        "either": {"type": ["string", "integer"]},
    },
    "required": ["path", "limit", "tags", "opts", "any", "either"],
    "additionalProperties": False,
}


def _policy(conditions: str, tool: str = _TOOL, method: str = "tools/call") -> str:
    head = f'principal, action == Action::"{method}", resource == Tool::"{tool}"'
    return f"forbid ({head}) when {{ {conditions} }};"


def _read(
    text: str, schema: object = _SCHEMA, before: CedarPolicySet = NO_CEDAR_POLICIES
) -> LoadedPolicies:
    approved: ApprovedSchemas = (
        {_TOOL: json.dumps(schema)} if schema else NO_APPROVED_SCHEMAS
    )
    file = CedarFile("a.cedar", text.encode())
    return load_policies([file], KNOWN, before, approved_schemas=approved)


_ = "context.arguments."  # what a condition reads


@pytest.mark.parametrize(
    "conditions",
    [
        f'{_}path like "/srv/*"',
        f"context.arguments has limit && {_}limit < 5",
        f'{_}tags.contains("x")',
        f'{_}opts.kind == "big"',
        f'{_}opts has more && {_}opts.more == "x"',  # others are not ruled out there
        f"{_}any < 5",  # of which nothing is said
        f'{_}any == "x"',
        f"{_}either < 5",
        f'{_}either == "x"',
        f"{_}path == {_}opts.kind",
    ],
)
def test_what_is_approved_may_be_read_so(conditions: str) -> None:
    assert _read(_policy(conditions)).faults == ()


@pytest.mark.parametrize(
    ("conditions", "what"),
    [
        (f"{_}path < 5", "unexpected type"),
        (f"{_}limit < 5", "optional attribute"),  # may be null
        (f"{_}flag", "optional attribute"),
        (f'{_}paht like "/srv/*"', "paht"),
        (f'{_}opts.kind.more == "x"', "unexpected type"),
        (f"{_}tags.contains(5)", "type"),
        (f'context.arguments has flag && {_}flag == "true"', "type"),
    ],
)
def test_what_is_not_so_is_a_fault_that_says_why(conditions: str, what: str) -> None:
    text = _policy(conditions)
    assert _read(text, schema=None).faults == ()
    faults = _read(text).faults
    assert faults
    assert all(what in each.what for each in faults)
    assert all("arguments as approved" in each.what for each in faults)
    assert {(each.file, each.line) for each in faults} == {("a.cedar", 1)}


def test_other_tools_are_not_held_to_it() -> None:
    text = "\n".join(
        (
            _policy(f"{_}path < 5", tool="tool:mcp/files/write"),
            _policy(f"{_}path < 5").replace(f'resource == Tool::"{_TOOL}"', "resource"),
            _policy(f'{_}path like "a*"'),
        )
    )
    assert _read(text).faults == ()


def test_a_policy_that_stays_is_held_to_what_is_approved_meanwhile() -> None:
    text = _policy(f"{_}path < 5")
    before = _read(text, schema=None).rules
    assert _read(text, before=before).faults
    good = _policy(f'{_}path == "a"')
    rules = _read(good).rules
    assert _read(good, before=rules).rules.rules == rules.rules
    assert _read(good, before=rules, schema=None).rules.rules[0].approved == ""


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                (
                    "type",
                    "properties",
                    "required",
                    "items",
                    "additionalProperties",
                    "path",
                )
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(_ANY)
def test_whatever_a_schema_says_it_is_read(schema: object) -> None:
    held = parse_argument_schema(json.dumps(schema)).apply_to_argument_types(
        {("path",): ("String", False)}
    )
    assert set(held) == {("path",)}


@pytest.mark.parametrize("schema", ["", "{", "[" * 10_000, '"sha256"'])
def test_what_is_no_schema_says_nothing(schema: str) -> None:
    uses = {("path",): ("String", False)}
    assert parse_argument_schema(schema).apply_to_argument_types(uses) == uses
