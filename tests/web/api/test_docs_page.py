"""The page in the docs names every operation as it is."""

from pathlib import Path

from answerable.web.api.operation_table import OPERATIONS
from answerable.web.api.operations import ApiOperation

PAGE = Path(__file__).parents[3] / "docs" / "api.md"


def row(each: ApiOperation) -> str:
    takes = ", ".join(
        f"**`{e.name}`**" if e.required else f"`{e.name}`" for e in each.parameters
    )
    may = " or ".join(sorted(each.permissions))
    return f"| {each.method} | `{each.path}` | {each.summary} | {takes} | {may} |"


def test_the_page_has_every_operation_once_and_no_other() -> None:
    lines = PAGE.read_text("utf-8").splitlines()
    shown = [line for line in lines if line.startswith(("| GET ", "| POST "))]
    assert shown == list(map(row, OPERATIONS))
