"""Machine sizes follow from the figures of the page of measurements."""

import pytest

from bench.capacity import compute_machine, read_measurements, render_table

PAGE = """
| peak memory, 200,000 events | 500 MiB | 531 to 558, 3 runs |  | `a` |
| per processor second, 2,000,000 events | 20,000 events/s | one run |  | `a` |
| peak memory, 2,000,000 events | 680 MiB | one run |  | `a` |
| whole store, 2,000,000 events | 150 B/event | one run |  | `a` |
| evidence verify, 2,000,000 events | 50.0 s | one run |  | `a` |
| peak memory of verify, 2,000,000 events | 200 MiB | one run |  | `a` |
"""


def test_a_machine_is_sized_for_the_busiest_hour() -> None:
    measured = read_measurements(PAGE)
    assert (measured.verified, measured.memory) == (40_000, pytest.approx(480))
    found = compute_machine(measured, 1_260 * 864e6)  # a mean of 10,000 events a second
    assert found.busy == pytest.approx(40_000 / 20_000 + 40_000 / 40_000)
    assert found.cores == 8  # half of them are free for questions
    assert found.needed == pytest.approx(480 + 0.0001 * 144e6 + 200 + 4 * 384)
    assert found.memory == 32


def test_each_amount_of_logs_has_a_row() -> None:
    _, _, *rows = render_table(read_measurements(PAGE)).splitlines()
    assert [row.split(" | ")[0] for row in rows] == [
        *("| 1 GB", "| 10 GB", "| 100 GB", "| 1 TB")
    ]


def test_a_page_without_a_figure_is_refused() -> None:
    with pytest.raises(RuntimeError, match="whole store"):
        read_measurements(PAGE.replace("whole store", "another"))
