"""What holds of every operator, whatever it compares; engine and readable rules agree."""

from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.model.policy import ConditionClause
from tests.reach.test_conditions import KEY, TOPIC, Values, held
from tests.reference.reach import conditions as spec_conditions
from tests.reference.reach import statements as spec_statements

BASES = {
    "String": ["StringEquals", "StringEqualsIgnoreCase", "StringLike"],
    "Numeric": ["NumericEquals"],
    "Date": ["DateEquals"],
    "Ip": ["IpAddress"],
    "Arn": ["ArnEquals", "ArnLike"],
}
TEXTS = ["", "a", "A", "b", "a*", "?", "1", "1.0", "10", "2026-01-01", "10.0.0.1"]
TEXTS += ["nan", "-1.50", "2026", "2026-01-01T00:00:00Z", "2026-01-01T00:00Z", "False"]
TEXTS += ["2026-01-01T00:00:00", "1767225600", "::1", "::/0", "10.0.0.0/33", "QR=="]
TEXTS += ["arn:aws:sns", "ß", "SS", "a?", "10.0.0.0/255.0.0.0", "${aws:username}"]
TEXTS += ["10.0.0.0/8", "true", "QQ==", TOPIC, "arn:aws:sns:*:*:*", "${*}"]
texts = st.lists(st.sampled_from(TEXTS), max_size=3).map(tuple)
present = st.lists(st.sampled_from(TEXTS[1:]), min_size=1, max_size=3).map(tuple)
positive = st.sampled_from([name for names in BASES.values() for name in names])
ORDERS = ["NumericLessThan", "DateGreaterThanEquals", "Bool", "BinaryEquals"]
anything = st.one_of(positive, st.sampled_from(ORDERS))


def negated(operator: str) -> str:
    if operator == "IpAddress":
        return "NotIpAddress"
    family = next(name for name in BASES if operator.startswith(name))
    return f"{family}Not{operator.removeprefix(family)}"


def flipped(value: bool | None) -> bool | None:
    return None if value is None else not value


@settings(max_examples=100)
@given(positive, texts, present)
def test_a_negated_operator_is_the_complement(
    operator: str, wanted: Values, got: Values
) -> None:
    plain = held(operator, wanted, got)
    assert held(negated(operator), wanted, got) is flipped(plain)


@settings(max_examples=100)
@given(positive, texts, present)
def test_all_not_is_not_any_and_any_not_is_not_all(
    operator: str, wanted: Values, got: Values
) -> None:
    every = held(f"ForAllValues:{operator}", wanted, got)
    some = held(f"ForAnyValue:{operator}", wanted, got)
    assert held(f"ForAnyValue:{negated(operator)}", wanted, got) is flipped(every)
    assert held(f"ForAllValues:{negated(operator)}", wanted, got) is flipped(some)


@settings(max_examples=80)
@given(anything, texts, st.one_of(st.just(()), present))
def test_if_exists_is_missing_or_plain(
    operator: str, wanted: Values, got: Values
) -> None:
    plain = held(operator, wanted, got)
    assert held(f"{operator}IfExists", wanted, got) is (True if not got else plain)


@settings(max_examples=50)
@given(st.one_of(st.just(()), present))
def test_null_is_whether_the_key_is_there(got: Values) -> None:
    assert held("Null", ("true",), got) is (not got)
    assert held("Null", ("false",), got) is bool(got)


@settings(max_examples=100)
@given(anything, st.permutations(TEXTS), present, st.data())
def test_neither_order_nor_case_of_the_operator_counts(
    operator: str, wanted: list[str], got: Values, data: st.DataObject
) -> None:
    some = tuple(wanted[:3])
    shuffled = tuple(data.draw(st.permutations(some)))
    for quantifier in ("", "ForAllValues:", "ForAnyValue:"):
        name = quantifier + operator
        assert held(name, some, got) is held(name.upper(), shuffled, got)


@settings(max_examples=100)
@given(anything, texts, texts, present)
def test_a_further_value_makes_a_positive_operator_no_stricter(
    operator: str, wanted: Values, more: Values, got: Values
) -> None:
    order = {False: 0, None: 1, True: 2}
    for quantifier in ("", "ForAllValues:", "ForAnyValue:"):
        less = held(quantifier + operator, wanted, got)
        after = held(quantifier + operator, wanted + more, got)
        # Undecided may become true, never false; a no may become anything.
        assert order[after] >= order[less]


ALL = [*BASES["String"], *BASES["Numeric"], *BASES["Ip"], *BASES["Arn"], *ORDERS]
ALL += ["StringNotLike", "ArnNotEquals", "DateEquals", "NotIpAddress", "Null", "Odd"]


@settings(max_examples=300)
@given(
    st.sampled_from(["", "ForAllValues:", "ForAnyValue:", "ForOddValue:"]),
    st.sampled_from(ALL),
    st.sampled_from(["", "IfExists"]),
    texts,
    texts,
)
def test_the_readable_rules_say_the_same(
    quantifier: str, base: str, if_exists: str, wanted: Values, got: Values
) -> None:
    operator = quantifier + base + if_exists
    clause = ConditionClause(operator, KEY, wanted)
    twin = spec_conditions.clause_holds(
        clause, got, {KEY: got}, spec_statements.fill_variables
    )
    assert held(operator, wanted, got) is twin


@settings(max_examples=50)
@given(anything, texts)
def test_nothing_known_decides_nothing(operator: str, wanted: Values) -> None:
    for quantifier in ("", "ForAllValues:", "ForAnyValue:"):
        assert held(quantifier + operator, wanted, None) is None
