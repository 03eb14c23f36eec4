"""The grammar of a policy document, and what becomes of what does not follow it."""

import json
import time
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from answerable.connectors.formats.iam_policy import MAX_BYTES, parse_policy
from answerable.model.errors import ParseError
from answerable.model.ids import PolicyId
from answerable.model.policy import (
    ConditionClause,
    Policy,
    PolicyEffect,
    PolicyLayer,
    Statement,
)
from answerable.model.provenance import FactProvenance, WrittenBy

SEEN = FactProvenance("aws:x", "x", WrittenBy.PLATFORM, 1)
ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}


def read(document: object, layer: PolicyLayer = PolicyLayer.IDENTITY) -> Policy:
    return parse_policy(
        document, layer, policy_id=PolicyId("arn:p"), name="p", provenance=SEEN
    )


def one(statement: object, layer: PolicyLayer = PolicyLayer.IDENTITY) -> Statement:
    policy = read({"Version": "2012-10-17", "Statement": statement}, layer)
    assert policy.unread == ()
    (only,) = policy.statements
    return only


def why(statement: object, layer: PolicyLayer = PolicyLayer.IDENTITY) -> str:
    policy = read({"Version": "2012-10-17", "Statement": [statement]}, layer)
    assert policy.statements == ()
    (only,) = policy.unread
    return only.why


def test_single_values_and_lists_read_the_same() -> None:
    listed = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["*"]}
    assert one(ALLOW) == one([ALLOW]) == one(listed)


def test_bytes_text_percent_encoded_and_decoded_documents_read_the_same() -> None:
    tree = {"Version": "2012-10-17", "Statement": [ALLOW]}
    text = json.dumps(tree)
    forms = [text, text.encode(), b"\xef\xbb\xbf" + text.encode(), quote(text), tree]
    assert {read(form) for form in forms} == {read(tree)}


def test_a_plus_in_a_percent_encoded_document_stays_a_plus() -> None:
    tree = {"Statement": {**ALLOW, "Resource": "arn:aws:s3:::a+b"}}
    assert read(quote(json.dumps(tree), safe="+")).statements[0].resources == (
        "arn:aws:s3:::a+b",
    )


def test_element_names_fold_case_and_values_do_not() -> None:
    lower = {"effect": "Allow", "ACTION": "s3:GetObject", "resource": "*"}
    assert one(lower) == one(ALLOW)
    assert "Effect" in why({**ALLOW, "Effect": "allow"})


def test_a_missing_or_empty_sid_is_the_position() -> None:
    policy = read(
        {"Statement": [ALLOW, {**ALLOW, "Sid": ""}, {**ALLOW, "Sid": "Mine"}]}
    )
    assert [s.sid for s in policy.statements] == ["0", "1", "Mine"]


def test_negated_elements_are_kept_apart() -> None:
    statement = one({"Effect": "Deny", "NotAction": "iam:*", "NotResource": ["a", "b"]})
    assert statement.effect is PolicyEffect.DENY
    assert (statement.actions, statement.not_actions) == ((), ("iam:*",))
    assert (statement.resources, statement.not_resources) == ((), ("a", "b"))


@pytest.mark.parametrize(
    ("principal", "pairs"),
    [
        ("*", (("AWS", "*"),)),
        ({"AWS": "*"}, (("AWS", "*"),)),
        (
            {"AWS": ["123456789012", "arn:r"]},
            (("AWS", "123456789012"), ("AWS", "arn:r")),
        ),
        (
            {"Service": "ec2.amazonaws.com", "Federated": "arn:oidc"},
            (("Service", "ec2.amazonaws.com"), ("Federated", "arn:oidc")),
        ),
        ({"CanonicalUser": "79a5"}, (("CanonicalUser", "79a5"),)),
    ],
)
def test_every_kind_of_principal_is_a_pair(
    principal: object, pairs: tuple[tuple[str, str], ...]
) -> None:
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    assert one(trust, PolicyLayer.TRUST).principals == pairs
    negated = {"Effect": "Deny", "Action": "sts:AssumeRole", "NotPrincipal": principal}
    assert one(negated, PolicyLayer.TRUST).not_principals == pairs


def test_condition_values_become_text_as_they_were_written() -> None:
    text = """{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*",
      "Condition": {"Bool": {"aws:MultiFactorAuthPresent": true, "b": "false"},
        "NumericLessThan": {"aws:MultiFactorAuthAge": [3600, 1.50]},
        "ForAllValues:StringLikeIfExists": {"aws:TagKeys": ["a", "b*"]},
        "Null": {"aws:SourceIp": []}}}}"""
    (statement,) = read(text).statements
    assert statement.conditions == (
        ConditionClause("Bool", "aws:MultiFactorAuthPresent", ("true",)),
        ConditionClause("Bool", "b", ("false",)),
        ConditionClause("NumericLessThan", "aws:MultiFactorAuthAge", ("3600", "1.50")),
        ConditionClause("ForAllValues:StringLikeIfExists", "aws:TagKeys", ("a", "b*")),
        ConditionClause("Null", "aws:SourceIp", ()),
    )


def test_the_older_version_knows_no_variables() -> None:
    old = {"Statement": {**ALLOW, "Resource": "arn:aws:s3:::b/${aws:username}"}}
    assert read(old).statements[0].resources == ("arn:aws:s3:::b/${$}{aws:username}",)
    new = {"Version": "2012-10-17", **old}
    assert read(new).statements[0].resources == ("arn:aws:s3:::b/${aws:username}",)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"NotAction": "iam:*"}, "both Action and NotAction"),
        ({"NotResource": "x"}, "both Resource and NotResource"),
        ({"Effect": "Maybe"}, "Effect"),
        ({"Effect": None}, "Effect"),
        ({"Action": 5}, "Action contains a number"),
        ({"Action": [["s3:*"]]}, "Action contains a list"),
        ({"Action": []}, "empty list"),
        ({"Action": ""}, "empty string"),
        ({"Resource": []}, "empty list"),
        ({"Resource": {"a": "b"}}, "Resource contains an object"),
        ({"Resources": "*"}, "unknown element 'Resources'"),
        ({"Principal": "*"}, "Principal is not allowed"),
        ({"Sid": 7}, "Sid is not a string"),
        ({"Condition": []}, "Condition is a list"),
        ({"Condition": {"Bool": "x"}}, "Condition 'Bool' is text"),
        ({"Condition": {"Bool": {"k": None}}}, "contains null"),
        ({"Condition": {"Bool": {"k": [{}]}}}, "contains an object"),
        ({"action": "s3:*"}, "Action is repeated"),
        ({"Resource": "\ud800"}, "an incomplete character"),
    ],
)
def test_a_statement_that_cannot_be_read_is_set_aside_with_a_reason(
    change: dict[str, object], reason: str
) -> None:
    policy = read({"Version": "2012-10-17", "Statement": [ALLOW, {**ALLOW, **change}]})
    assert len(policy.statements) == 1
    (unread,) = policy.unread
    assert unread.sid == "1"
    assert reason in unread.why


@pytest.mark.parametrize(
    "layer", [PolicyLayer.IDENTITY, PolicyLayer.BOUNDARY, PolicyLayer.SCP]
)
def test_a_policy_without_a_principal_needs_a_resource(layer: PolicyLayer) -> None:
    assert why({"Effect": "Allow", "Action": "*"}, layer) == (
        "neither Resource nor NotResource"
    )


def test_a_trust_policy_needs_a_principal_and_takes_no_resource() -> None:
    bare = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    assert why(bare, PolicyLayer.TRUST) == "neither Principal nor NotPrincipal"
    assert "no Resource" in why(
        {**bare, "Principal": "*", "Resource": "*"}, PolicyLayer.TRUST
    )
    assert "unknown element 'Nobody'" in why(
        {**bare, "Principal": {"Nobody": "x"}}, PolicyLayer.TRUST
    )
    assert why({**bare, "Principal": {}}, PolicyLayer.TRUST) == "Principal is empty"


def test_a_resource_policy_may_leave_its_resource_out() -> None:
    bare = {"Effect": "Allow", "Action": "ecr:*", "Principal": "*"}
    assert one(bare, PolicyLayer.RESOURCE).resources == ()


@pytest.mark.parametrize(
    "text",
    [
        '{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}',
        '{"Effect":"Allow","Action":"*","Resource":"*",'
        '"Condition":{"Bool":{"a":"x"},"Bool":{"a":"y"}}}',
        '{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"a":"x","a":"y"}}}',
    ],
)
def test_a_key_that_stands_twice_is_never_resolved_by_guessing(text: str) -> None:
    policy = read(f'{{"Statement":[{text}]}}')
    assert policy.statements == ()
    assert "repeated" in policy.unread[0].why


def test_two_statement_blocks_leave_the_document_unread_and_say_so() -> None:
    policy = read(f'{{"Statement":[],"Statement":{json.dumps(ALLOW)}}}')
    assert policy.unread[0].sid == "*"
    assert "repeated" in policy.unread[0].why


def test_an_unknown_version_or_element_of_the_document_is_said() -> None:
    assert read({"Version": "2030-01-01", "Statement": ALLOW}).unread[0].sid == "*"
    assert "Stmt" in read({"Stmt": 1, "Statement": ALLOW}).unread[0].why


def test_statements_beyond_the_limit_are_counted() -> None:
    policy = read({"Statement": [ALLOW] * 2003})
    assert len(policy.statements) == 2000
    assert policy.unread[0].why.startswith("3 statements beyond")


@pytest.mark.parametrize(
    "document",
    [
        b"\xff\xfe",
        "",
        "{",
        "NaN",
        "[" * 200_000,
        '{"a":' * 100_000,
        "[]",
        "{}",
        None,
        5,
        "%7B%FF",
        '{"Statement": Infinity}',
        "x" * (MAX_BYTES + 1),
        "9" * 100_000,
    ],
)
def test_what_is_no_policy_is_a_parse_error(document: object) -> None:
    with pytest.raises(ParseError):
        read(document)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "Statement",
                    "Version",
                    "Sid",
                    "Effect",
                    "Action",
                    "Condition",
                    "Principal",
                ]
            )
            | st.text(),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(JSON | st.binary() | st.text(), st.sampled_from(PolicyLayer))
@example(
    {"Statement": [{"Effect": "Allow", "Condition": {"": {}}}]}, PolicyLayer.IDENTITY
)
@example({"Statement": 10**5000}, PolicyLayer.SCP)
def test_nothing_but_a_parse_error_is_ever_raised(
    document: object, layer: PolicyLayer
) -> None:
    try:
        policy = read(document, layer)
    except ParseError:
        return
    json.dumps([u.why for u in policy.unread]).encode()


WORD = st.text("abcXYZ0189:*?/-_ é", min_size=1, max_size=8)
WORDS = st.lists(WORD, min_size=1, max_size=3).map(tuple)
PAIR = st.tuples(WORDS, st.booleans())


@st.composite
def statements(draw: st.DrawFn, sid: str) -> Statement:
    actions, negated_actions = draw(PAIR)
    resources, negated_resources = draw(PAIR)
    conditions = draw(
        st.dictionaries(
            st.sampled_from(["StringEquals", "ForAnyValue:StringLike", "Null"]),
            st.dictionaries(WORD, WORDS, min_size=1, max_size=2),
            max_size=2,
        )
    )
    return Statement(
        sid,
        draw(st.sampled_from(PolicyEffect)),
        () if negated_actions else actions,
        actions if negated_actions else (),
        () if negated_resources else resources,
        resources if negated_resources else (),
        (),
        (),
        tuple(
            ConditionClause(operator, key, values)
            for operator, keys in conditions.items()
            for key, values in keys.items()
        ),
    )


def written(statement: Statement) -> dict[str, object]:
    """Write a statement as a document would."""
    block: dict[str, dict[str, list[str]]] = {}
    for clause in statement.conditions:
        block.setdefault(clause.operator, {})[clause.key] = list(clause.values)
    parts = {
        "Action": statement.actions,
        "NotAction": statement.not_actions,
        "Resource": statement.resources,
        "NotResource": statement.not_resources,
    }
    return {
        "Sid": statement.sid,
        "Effect": statement.effect.value.capitalize(),
        **{name: list(values) for name, values in parts.items() if values},
        "Condition": block,
    }


@given(
    st.integers(0, 3).flatmap(
        lambda n: st.tuples(*[statements(f"S{i}") for i in range(n)])
    )
)
def test_a_policy_that_is_written_out_reads_back_the_same(
    given_statements: tuple[Statement, ...],
) -> None:
    tree = {
        "Version": "2012-10-17",
        "Statement": [written(statement) for statement in given_statements],
    }
    policy = read(json.dumps(tree))
    assert policy.statements == given_statements
    assert policy.unread == ()
    assert read(tree) == policy


def test_many_keys_of_which_one_stands_twice_take_linear_time() -> None:
    keys = "".join(f', "k{number}": 1' for number in range(60_000))
    text = f'{{"Statement": [], "a": 1, "a": 1{keys}}}'
    start = time.process_time()
    assert read(text).unread[0].why == "'a' is repeated"
    assert time.process_time() - start < 6.0
