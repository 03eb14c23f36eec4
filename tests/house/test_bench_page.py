"""A run of some parts of the benchmark leaves the figures of the others as they were."""

from bench import page
from bench.figures import Figure, at_most

FACTS = {
    "processor": "one",
    "date": "2026-01-01",
    "revision": "aaaa",
    "load before": "0.1",
    "load after": "0.2",
}
GOAL = at_most(5, "<= 5")


def figure(what: str, value: float) -> Figure:
    part = what.partition(":")[0]
    return Figure(what, "s", (value,), f"python -m bench --only {part}", GOAL)


def test_a_section_is_replaced_whole_or_not_at_all() -> None:
    first = [figure("reach: cold", 9), figure("gateway: call", 1)]
    before = page.text(FACTS, first, ("reach", "gateway"), "")
    assert "- reach: cold: 9 s" in before
    later = FACTS | {"revision": "bbbb"}
    after = page.text(later, [figure("reach: cold", 4)], ("reach",), before)
    assert "Every goal was held." in after
    assert after.count("at revision aaaa") == after.count("at revision bbbb") == 1
    kept = after.partition("## Gateway")[2]
    assert kept == before.partition("## Gateway")[2]


def test_part_of_a_section_writes_nothing() -> None:
    assert page.covers(("reach",))
    assert not page.covers(("ingest", "queries"))
