"""The coverage line is short whatever is missing; `--coverage` and JSON have all."""

from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.model.documents.shared_shapes import CoverageRecord, CoverageSourceItem
from answerable.presentation.coverage_text import (
    build_coverage_line_parts,
    list_full_coverage,
)

NAMES = ["aws", "aws-org", "aws-keys", "aws-resources", "home", "repo", "config"]
KINDS = ["scp", "rcp", "resource-policies", "identity-policies", "access-keys"]
KINDS += ["agent-configs", "workflows", "cloudtrail", "session-policies", "s3-acls"]


def covered(missing: list[str], *sources: str) -> CoverageRecord:
    return {
        "partial": False,
        "sources": [
            {
                "source": each,
                "at": "2026-11-24T08:00:00Z",
                "age_s": 7200,
                "problems": [],
            }
            for each in sources
        ],
        "seen": [],
        "not_collected": missing,
    }


def test_credentials_whose_principal_is_unknown_are_counted() -> None:
    missing = [f"cred:fp/{n:024x}: principal not collected" for n in range(40)]
    (home, rest) = build_coverage_line_parts(covered(missing, "home:~"))
    assert (home, rest) == ("home 2 h old", "40 principals not collected")
    assert (
        sum(
            "cred:fp/" in line
            for line in list_full_coverage(covered(missing, "home:~"))
        )
        == 40
    )


def test_a_platform_that_no_source_was_scanned_of_is_said_so() -> None:
    line = build_coverage_line_parts(
        covered(["identity-policies", "scp", "boundaries"], "home:~")
    )
    assert line == ["home 2 h old", "aws not scanned"]
    line = build_coverage_line_parts(covered(["scp"], "aws:x", "home:~"))
    assert line == ["aws 2 h old (SCPs not collected)", "home 2 h old"]


def test_what_is_missing_of_many_accounts_is_counted() -> None:
    missing = [f"scp (account {n})" for n in range(300)]
    assert build_coverage_line_parts(covered(missing, "aws:x")) == [
        "aws 2 h old (SCPs of 300 places not collected)"
    ]


def test_removed_events_are_never_cut_or_counted_among_others() -> None:
    removed = (
        "12 events of 2026-11-20 to 2026-11-21: erased by policy, last on 2026-12-01; "
        "later ingests stored events of these days"
    )
    for others in ([], KINDS, [f"scp (account {n})" for n in range(9)] + KINDS):
        parts = build_coverage_line_parts(covered([*others, removed], "aws:x"))
        assert removed in parts


@settings(max_examples=80)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(KINDS),
            st.builds("{} (account {})".format, st.sampled_from(KINDS), st.integers()),
            st.integers().map("cred:fp/{}: principal not collected".format),
            st.text(max_size=400),
        ),
        max_size=60,
    ),
    st.lists(st.sampled_from(NAMES), unique=True),
)
def test_the_line_is_short_and_the_list_leaves_nothing_out(missing, names) -> None:
    coverage = covered(missing, *(f"{name}:x" for name in names))
    line = " · ".join(build_coverage_line_parts(coverage))
    assert len(line) <= 400
    assert "\n" not in line
    assert "not collected not collected" not in line
    listed = [
        x
        for x in list_full_coverage(coverage)
        if x.startswith(("not collected", "not st"))
    ]
    assert len(listed) == len(missing)


def test_a_scheduled_source_that_was_never_read_has_no_age() -> None:
    coverage = covered(["cloudtrail"], "aws:x")
    never: CoverageSourceItem = {
        "source": "cloudtrail:/logs",
        "at": "",
        "age_s": 0,
        "problems": ["unreadable: late by 5 min: never read"],
    }
    coverage["sources"].append(never)
    assert build_coverage_line_parts(coverage) == [
        "aws 2 h old",
        "CloudTrail not collected",
    ]
    assert "cloudtrail:/logs: never read" in list_full_coverage(coverage)
