"""A task that fails while its page is being left fails with its own error."""

import pytest

from tests.web.browser.task_steps import Task

pytestmark = pytest.mark.world


class LeftPage:
    """A page that navigates: it cannot be read."""

    url = "http://localhost/identities"

    def inner_text(self, _selector: str) -> str:
        from playwright.sync_api import Error

        raise Error("Execution context was destroyed")

    evaluate = inner_text


def test_the_error_of_the_task_is_raised() -> None:
    task = Task(LeftPage(), "http://localhost/")
    with (
        pytest.raises(AssertionError, match="no owner") as raised,
        task.describe_failure(),
    ):
        raise AssertionError("no owner")
    (note,) = raised.value.__notes__
    assert "at http://localhost/identities" in note
    assert "Execution context was destroyed" in note
