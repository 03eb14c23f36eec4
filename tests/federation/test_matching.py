"""Security test 16: what a rule fits, and which two could fit one workload."""

import itertools
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from answerable.federation.trust_rules import overlap as overlaps
from answerable.federation.trust_rules.faults import RuleFaultCode
from answerable.federation.trust_rules.glob import (
    anchored_globs_intersect,
    matches_anchored_glob,
)
from answerable.federation.trust_rules.matching import (
    MatchedRule,
    MatchSubject,
    MismatchKind,
    UnmatchedRule,
    explain_mismatches,
)
from answerable.federation.trust_rules.overlap import rules_overlap
from answerable.federation.trust_rules.rule_index import AmbiguousMatch, RuleIndex
from answerable.federation.trust_rules.validation import (
    ValidationContext,
    validate_rules,
)
from answerable.model.token_claims import TokenType
from answerable.model.trust_rule import (
    IssuedSubject,
    LaunchedSubject,
    PeerSubject,
    TrustRule,
)
from tests.federation.random_requests import some_rule
from tests.federation.sample_rules import (
    ISSUERS,
    URL,
    A,
    B,
    launched,
    peer,
    rule,
    signed,
)
from tests.reference.federation import workload_match as spec

AROUND = ValidationContext(URL, ISSUERS)
CASES = yaml.load(
    (Path(__file__).parents[1] / "cases" / "rules.yaml").read_text(encoding="utf-8"),
    yaml.CSafeLoader,
)


def match(rule: TrustRule, workload: MatchSubject) -> MatchedRule | UnmatchedRule:
    (found,) = explain_mismatches((rule,), workload)
    return found


def words(length: int, letters: str) -> list[str]:
    return [
        "".join(word)
        for size in range(length + 1)
        for word in itertools.product(letters, repeat=size)
    ]


def test_a_pattern_takes_what_it_says_and_no_more(counted: list[str]) -> None:
    for pattern, text in itertools.product(words(4, "a/*"), words(4, "ab/")):
        meant = spec._is_like(text, pattern)
        assert matches_anchored_glob(pattern, text) == meant, (pattern, text)
        counted.append(str(meant))


def test_two_patterns_meet_where_a_text_fits_both(counted: list[str]) -> None:
    texts = words(5, "ab/")
    taken = {
        p: {t for t in texts if matches_anchored_glob(p, t)} for p in words(4, "ab*/")
    }
    for one, other in itertools.combinations_with_replacement(taken, 2):
        # Any two patterns this short that meet do so in a text as short as both.
        if one.count("/") + other.count("/") > 1:
            continue
        shared = not taken[one].isdisjoint(taken[other])
        assert anchored_globs_intersect(one, other) == anchored_globs_intersect(
            other, one
        )
        if shared:
            assert anchored_globs_intersect(one, other), (one, other)
        elif len(one) + len(other) <= 5:
            assert not anchored_globs_intersect(one, other), (one, other)
        counted.append(str(shared))


def test_a_star_never_passes_a_slash_and_long_texts_cost_little() -> None:
    assert matches_anchored_glob(
        "acme/*/deploy.yml@refs/heads/main", "acme/a/deploy.yml@refs/heads/main"
    )
    for text in (
        "acme/a/b/deploy.yml@refs/heads/main",
        "acme/a/deploy.yml@refs/heads/main\n",
        "xacme/a/deploy.yml@refs/heads/main",
        "acme/a/deploy.yml@refs/heads/mainx",
    ):
        assert not matches_anchored_glob("acme/*/deploy.yml@refs/heads/main", text)
    assert not matches_anchored_glob("*a" * 200 + "b", "a" * 10_000)
    assert not anchored_globs_intersect("*a" * 120 + "b", "a*" * 120 + "c")


@pytest.mark.parametrize(
    "held",
    [
        *("", "\n", "a\n", "\0", "a\0b", "\u200b", "a\u200db", "\u202e", "\ud800"),
        *(
            "a\u2215b",
            "a\u2044b",
            "a\uff0fb",
            "a\u29f8b",
            "a\u30ceb",
            "\u00a0",
            "\u2028",
        ),
    ],
)
def test_a_star_takes_no_empty_text_and_nothing_that_is_not_seen(held: str) -> None:
    for pattern in ("repo:acme/*:ref:main", "repo:acme/*", "*/x"):
        first, _, last = pattern.partition("*")
        assert not matches_anchored_glob(pattern, first + held + last), pattern
        for honest in ("a", "api-v2.1", "gr\u00fcn", "\u65e5\u672c"):
            assert matches_anchored_glob(pattern, first + honest + last), (
                pattern,
                honest,
            )


def some_subject(generator: random.Random) -> IssuedSubject:
    paths = [("p",), ("q",), ("q", "r"), ("s",)]
    generator.shuffle(paths)
    size = generator.randint(1, 3)
    values: list[Any] = ["a", "ab", "a/b", 1, True, ("a",), ("a", "b")]
    equal = tuple((path, generator.choice(values)) for path in paths[:size])
    patterns = ["*", "a*", "*b", "a/*", "*/*", "a*b"]
    like = tuple((path, generator.choice(patterns)) for path in paths[size:])
    return IssuedSubject("gh", equal, like[: generator.randint(0, 2)])


def test_rules_that_do_not_overlap_never_fit_one_token(counted: list[str]) -> None:
    generator = random.Random(7)  # noqa: S311 - cases, not keys
    texts = [None, "a", "ab", "b", "a/b", "aab", 1, True, ["a"], ["a", "b"]]
    for _ in range(400):
        one, other = (rule(name, some_subject(generator)) for name in ("x", "y"))
        apart = not rules_overlap(one, other)
        assert rules_overlap(other, one) != apart
        both = False
        for _ in range(40):
            payload: dict[str, Any] = {
                name: generator.choice(texts) for name in ("p", "q", "s")
            }
            if generator.random() < 0.4:
                payload["q"] = {"r": generator.choice(texts)}
            token = signed({k: v for k, v in payload.items() if v is not None})
            both |= all(isinstance(match(r, token), MatchedRule) for r in (one, other))
        assert not (apart and both)
        counted.append("apart" if apart else "overlap")
    assert counted.count("apart") > 50


def test_rules_that_overlap_have_a_token_that_fits_both(counted: list[str]) -> None:
    generator = random.Random(8)  # noqa: S311 - cases, not keys
    texts = ["a", "ab", "b", "a/b", "aab", "", "a/", "abb", "/", "/b"]
    values = [*texts, 1, True, ["a"], ["a", "b"]]
    for _ in range(4000):
        one, other = (some_subject(generator) for _ in range(2))
        if not rules_overlap(rule("x", one), rule("y", other)):
            continue
        payload: dict[str, Any] = {}
        for name in ("p", "s", "q"):
            fit = [v for v in values if _takes(one, other, (name,), v)]
            if any(path == (name,) for path in _paths(one, other)):
                payload[name] = fit[0]
        if ("q", "r") in _paths(one, other):
            payload["q"] = {
                "r": next(v for v in values if _takes(one, other, ("q", "r"), v))
            }
        token = signed(payload)
        for subject in (one, other):
            assert isinstance(match(rule("x", subject), token), MatchedRule), payload
        counted.append("overlap")
    assert len(counted) > 80


def _paths(*subjects: IssuedSubject) -> set[tuple[str, ...]]:
    return {path for s in subjects for path, _ in (*s.match, *s.match_glob)}


def _takes(
    one: IssuedSubject, other: IssuedSubject, path: tuple[str, ...], value: Any
) -> bool:
    leaf = tuple(value) if isinstance(value, list) else value
    equal = [v for s in (one, other) for p, v in s.match if p == path]
    like = [g for s in (one, other) for p, g in s.match_glob if p == path]
    return all(overlaps.are_equal_with_type(leaf, v) for v in equal) and all(
        isinstance(leaf, str) and matches_anchored_glob(g, leaf) for g in like
    )


def test_at_most_one_of_rules_that_were_taken_fits(counted: list[str]) -> None:
    generator = random.Random(9)  # noqa: S311 - cases, not keys
    for _ in range(600):
        rules = tuple(some_rule(generator.choice, number) for number in range(3))
        wrong = {fault.wrong for fault in validate_rules(rules, AROUND)}
        for workload in (
            signed({"repository_id": generator.choice(("1", 1)), "wf": "acme/b"}),
            signed({"client_id": "cli"}, "corp", token_type=TokenType.ID_JAG),
            peer(),
            launched(),
        ):
            fit = [r.id for r in rules if isinstance(match(r, workload), MatchedRule)]
            assert fit == [r.id for r in rules if spec.fits(r, workload)]
            assert len(fit) < 2 or RuleFaultCode.OVERLAP in wrong
            counted.append(f"{len(fit)} fit")
            if len(fit) > 1:
                with pytest.raises(AmbiguousMatch):
                    RuleIndex(rules).find_matching_rule(workload)
            else:
                found = RuleIndex(rules).find_matching_rule(workload)
                assert ([found.rule.id] if found else []) == fit


@pytest.mark.parametrize("case", CASES["matching"], ids=lambda case: case["name"])
def test_the_table_of_matching_holds(case: dict[str, Any]) -> None:
    subject = IssuedSubject(
        "gh", tuple(_flat(case["match"])), tuple(_flat(case.get("match_glob", {})))
    )
    held = match(rule("r", subject), signed(case["claims"]))
    if case["expect"] == "fits":
        assert isinstance(held, MatchedRule)
    else:
        assert isinstance(held, UnmatchedRule)
        assert [held.at, held.miss.value] == case["expect"]
    fit = spec.fits(rule("r", subject), signed(case["claims"]))
    assert fit == (case["expect"] == "fits")


def _flat(members: dict[str, Any], at: tuple[str, ...] = ()) -> Any:
    for name, value in members.items():
        if isinstance(value, dict):
            yield from _flat(value, (*at, name))
        else:
            yield (*at, name), tuple(value) if isinstance(value, list) else value


@pytest.mark.parametrize("case", CASES["overlap"], ids=lambda case: case["name"])
def test_the_table_of_overlap_holds(case: dict[str, Any]) -> None:
    one, other = (
        rule(
            name,
            IssuedSubject(
                "gh",
                tuple(_flat(each.get("match", {}))),
                tuple(_flat(each.get("match_glob", {}))),
            ),
        )
        for name, each in (("x", case["one"]), ("y", case["other"]))
    )
    assert rules_overlap(one, other) == rules_overlap(other, one) == case["expect"]


def test_a_repository_made_under_an_old_name_is_another() -> None:
    subject = IssuedSubject(
        "gh", ((("repository",), "acme/app"), (("repository_id",), "456789"))
    )
    first = signed({"repository": "acme/app", "repository_id": "456789"})
    again = signed({"repository": "acme/app", "repository_id": "999999"})
    renamed = signed({"repository": "acme/new", "repository_id": "456789"})
    assert isinstance(match(rule("r", subject), first), MatchedRule)
    assert match(rule("r", subject), again) == UnmatchedRule(
        "r", "repository_id", MismatchKind.OTHER, "equal to 456789"
    )
    assert isinstance(match(rule("r", subject), renamed), UnmatchedRule)


def test_local_rules_overlap_where_one_process_could_satisfy_both() -> None:
    def both(one: Any, other: Any, **agents: Any) -> bool:
        return rules_overlap(rule("x", one), rule("y", other, **agents))

    assert both(PeerSubject(1), PeerSubject(1, 5))
    assert both(PeerSubject(1, 5), PeerSubject(1, None, "a.service"))
    assert not both(PeerSubject(1), PeerSubject(2))
    assert not both(PeerSubject(1, 5), PeerSubject(1, 6))
    assert not both(PeerSubject(1, None, "a"), PeerSubject(1, None, "b"))
    assert both(LaunchedSubject(1), LaunchedSubject(1, runs_as=5))
    assert not both(LaunchedSubject(1), LaunchedSubject(1), agent=B)
    assert not both(LaunchedSubject(1, program="/a"), LaunchedSubject(1, program="/b"))
    assert not both(PeerSubject(1), LaunchedSubject(1))


def test_the_superuser_fits_only_where_the_rule_says_so() -> None:
    assert isinstance(match(rule("r", PeerSubject(0)), peer(uid=0)), MatchedRule)
    assert isinstance(match(rule("r", PeerSubject(1000)), peer(uid=0)), UnmatchedRule)
    anyone = rule("r", LaunchedSubject(1000))
    assert isinstance(match(anyone, launched(uid=7)), MatchedRule)
    failed = match(anyone, launched(uid=0))
    assert failed == UnmatchedRule("r", "uid", MismatchKind.OTHER, "not the superuser")
    assert RuleIndex((anyone,)).find_launch_rule(A, 1000, 7, "/bin/agent") == "r"
    for asked in ((B, 1000, 7), (A, 1001, 7), (A, 1000, 0)):
        assert RuleIndex((anyone,)).find_launch_rule(*asked, "/bin/agent") == ""


def test_an_explanation_says_what_failed_first_and_no_value() -> None:
    rules = (
        rule("kind", IssuedSubject("gh", ((("n",), 1),))),
        rule("gone", IssuedSubject("gh", ((("gone",), "x"),))),
        rule("like", IssuedSubject("gh", ((("n",), True),), ((("ref",), "a/*"),))),
        rule("whose", IssuedSubject("corp", ((("n",), True),))),
        rule("local", PeerSubject(1)),
    )
    told = explain_mismatches(rules, signed({"n": True, "ref": "s3cret"}))
    assert [str(getattr(each, "at", "")) for each in told] == [
        "n",
        "gone",
        "ref",
        "issuer",
        "attestor",
    ]
    assert [getattr(each, "miss", None) for each in told] == [
        MismatchKind.KIND,
        MismatchKind.MISSING,
        MismatchKind.OTHER,
        MismatchKind.OTHER,
        MismatchKind.MISSING,
    ]
    assert "s3cret" not in repr(told)
