"""The page of the foreign clients is that of the present ones."""

from tests.sts.foreign.__main__ import PAGE
from tests.sts.foreign.client_journeys import JOURNEYS


def test_the_page_has_a_row_for_each_client_and_each_works() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")][1:]
    cells = [row.strip("| ").split(" | ") for row in rows]
    assert [(each[0], each[2], each[3], each[4]) for each in cells] == [
        (f"{one.client} ({one.registry})", one.does, one.binding, "works")
        for one in JOURNEYS
    ]
