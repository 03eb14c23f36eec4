from pathlib import Path

import pytest

from answerable.authorization.cedar.loader import load_policies
from answerable.authorization.cedar.mcp_actions import RESOURCE_TYPES, WITH_ARGUMENTS
from answerable.authorization.cedar.policy_slices import SliceCache
from answerable.model.cedar_policy import CedarFile
from answerable.model.decision import DecisionEffect, DecisionLayer, TargetKind
from answerable.server.mcp.methods import METHODS
from tests.authorization.cedar.faulty_policies import MISTAKES, planted, policies
from tests.authorization.cedar.policy_strategies import (
    AGENTS,
    KNOWN,
    call,
    read,
    rules_of,
)


def test_each_of_twenty_mistakes_in_a_large_set_is_named_with_policy_and_line() -> None:
    text, wrong = planted(600)  # 10,000 in `python -m bench --only enforce`
    faults = read(text).faults
    assert len(wrong) == len(MISTAKES) == 20
    told = {(fault.line, fault.policy): fault.what for fault in faults}
    for line, policy, what in wrong:
        assert what in told.pop((line, policy)), (line, policy)
    assert told == {}
    assert len(faults) == len(wrong)
    assert {fault.file for fault in faults} == {"0.cedar"}


def test_a_set_without_mistakes_has_no_faults_and_keeps_its_order() -> None:
    rules = rules_of("\n".join(policies(30))).rules
    assert [rule.id for rule in rules] == [f"0.cedar:rule-{n}" for n in range(30)]
    layers = [DecisionLayer.TABLE, DecisionLayer.CONSTRAINT, DecisionLayer.CEDAR]
    assert [rule.layer for rule in rules[:3]] == layers


def test_a_policy_without_an_id_is_named_by_its_position() -> None:
    permit = "permit (principal, action, resource);"
    rules = rules_of(f'{permit}\n@id("b") {permit}\n{permit}').rules
    assert [rule.id for rule in rules] == [
        *("0.cedar:policy0", "0.cedar:b", "0.cedar:policy2")
    ]
    assert [rule.line for rule in rules] == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("// a; comment\n\npermit(principal,action,resource);", [3]),
        ('@id("a;\\";b")\nforbid(principal,action,resource);', [1]),
        (
            'forbid(principal,action,resource) when { principal == Agent::"agent:x;y" }'
            ";\n\n// permit\npermit (principal, action, resource); // ;",
            [1, 4],
        ),
        ("permit\n(\nprincipal, action, resource)\n;\npermit(principal,action,"
         "resource);", [1, 5]),
        ("", []),
        ("// nothing\n", []),
    ],
)  # fmt: skip
def test_a_policy_starts_at_its_first_word(text: str, lines: list[int]) -> None:
    assert [rule.line for rule in rules_of(text).rules] == lines


def test_a_policy_that_lacks_its_end_hides_no_other() -> None:
    good = "permit (principal, action, resource);"
    text = f'@id("a")\nforbid (principal, action, resource)\n@id("b")\n{good}\n{good}'
    (fault,) = read(text).faults
    assert (fault.line, fault.policy) == (1, "a")
    assert "closing `;`" in fault.what


def test_a_string_that_does_not_end_hides_no_other() -> None:
    text = (
        '@id("a") permit (principal == Agent::"agent:declared/ana, action, resource);\n'
        '@id("b") permit (principal, action, resource);\n'
        '@id("c") permit (principal, acton, resource);\n'
    )
    told = [(fault.line, fault.policy, fault.what) for fault in read(text).faults]
    assert [line for line, _, _ in told] == [1, 3]
    assert "a string is not closed" in told[0][2]


def test_what_is_not_utf_8_is_named_with_its_line() -> None:
    file = CedarFile("a.cedar", b"// fine\n// \xff\n")
    (fault,) = load_policies([file], KNOWN).faults
    assert (fault.line, fault.what) == (2, "not UTF-8")


def test_a_fault_is_one_printable_line_whatever_the_policy_holds() -> None:
    text = 'permit (principal, action, resource) when { "\x1b[2J" ++ 1 };'
    (fault,) = read(text).faults
    assert fault.what.isprintable()


def test_one_argument_may_be_a_number_in_one_policy_and_a_text_in_another() -> None:
    head = 'permit (principal, action == Action::"tools/call", resource) when'
    rules_of(
        f"{head} {{ context.arguments.to == 1 }};"
        f'{head} {{ context.arguments.to like "a*" }};'
        f"{head} {{ context.arguments.to.name == 1 }};"
        f"{head} {{ context.arguments has to && context.arguments.to == 1 }};"
    )


def test_what_is_unchanged_is_not_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    import cedarpy

    text = "\n".join(policies(40))
    before = rules_of(text)
    asked: list[str] = []
    real = cedarpy.policies_to_json_str
    monkeypatch.setattr(
        cedarpy, "policies_to_json_str", lambda said: asked.append(said) or real(said)
    )
    changed = text.replace("amount < 7", "amount < 8").replace('"rule-3"', '"rule-x"')
    after = read("\n\n" + changed, before=before)
    assert after.faults == ()
    assert [said.count("permit") for said in asked] == [2]
    assert [rule.line - 2 for rule in after.rules.rules] == [
        rule.line for rule in before.rules
    ]
    assert after.rules.rules == read("\n\n" + changed).rules.rules
    assert after.rules.digest != before.digest


def test_a_server_that_is_no_more_is_named_where_nothing_else_changed() -> None:
    text = 'permit (principal, action, resource in Server::"server:mail");'
    before = rules_of(text)
    read = load_policies(
        [CedarFile("0.cedar", text.encode())], {"server:files"}, before
    )
    (fault,) = read.faults
    assert "not defined under servers" in fault.what


def test_the_same_text_stays_lately_over_a_reload() -> None:
    text = "\n".join(policies(6))
    rules = rules_of(text)
    before = SliceCache(rules)
    for number in (2, 5):
        asked = call(f"t{number}", agent=AGENTS[2], arguments={"amount": 0})
        assert before.get_slice(asked).evaluate(asked).effect is DecisionEffect.ALLOW
    was = before.handles._lately
    assert list(was) == [(rules.rules[2].text,), (rules.rules[5].text,)]
    after = SliceCache(rules_of(text.replace("+ 1 < 5", "+ 2 < 5")), before)
    (kept,) = after.handles._before.items()
    assert kept == next(iter(was.items()))


def test_every_method_is_an_action_that_acts_on_what_it_acts_on() -> None:
    methods = {name: each for era in METHODS.values() for name, each in era.items()}
    assert RESOURCE_TYPES.keys() == methods.keys()
    kinds = {
        TargetKind.TOOL: {"Tool"},
        TargetKind.RESOURCE: {"Resource"},
        TargetKind.PROMPT: {"Prompt"},
        TargetKind.REFERENCE: {"Prompt", "Resource"},
        TargetKind.STREAM: {"Server"},
    }
    for name, method in methods.items():
        expected = kinds.get(method.target, {"Server"})
        if name == "subscriptions/listen":
            expected = {"Server", "Resource"}  # the resources that it watches, too
        assert set(RESOURCE_TYPES[name]) == expected, name
    assert RESOURCE_TYPES.keys() >= WITH_ARGUMENTS


def test_the_examples_of_the_documentation_are_right() -> None:
    root = Path(__file__).parents[3]
    page = (root / "docs" / "policies.md").read_text(encoding="utf-8")
    example = page.split("```cedar\n")[1].split("```")[0]
    file = CedarFile("refunds.cedar", example.encode())
    known = {f"server:{name}" for name in ("shop", "files", "crm")}
    found = load_policies([file], {*known, "agent:declared/invoices"})
    assert found.faults == ()
    layers = [rule.layer for rule in found.rules.rules]
    assert layers == [
        DecisionLayer.CONSTRAINT,
        DecisionLayer.CONSTRAINT,
        DecisionLayer.CONSTRAINT,
    ]


def test_slices_that_are_not_kept_are_made_again_and_say_the_same() -> None:
    rules = rules_of("\n".join(policies(6)))
    slices = SliceCache(rules)
    asked = [
        call(f"t{n}", agent=AGENTS[n % 3], arguments={"amount": 0}) for n in range(6)
    ]
    before = [slices.get_slice(each) for each in asked]
    slices.retain_slices(asked[:2])
    after = [slices.get_slice(each) for each in asked]
    assert [one is other for one, other in zip(before, after, strict=True)] == [
        *([True] * 2),
        *([False] * 4),
    ]
    for one, other, each in zip(before, after, asked, strict=True):
        said, again = one.evaluate(each), other.evaluate(each)
        assert (said.effect, said.rules) == (again.effect, again.rules)


def test_an_entity_in_a_member_that_is_called_pattern_is_found() -> None:
    text = (
        'permit (principal, action == Action::"tools/call", resource) when '
        '{ { pattern: [Agent::"agent:declared/zed"] } has pattern };'
    )
    (fault,) = read(text).faults
    assert "agent not defined under agents" in fault.what
