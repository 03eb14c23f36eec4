"""Find the actions of a job whose code can change without a commit of the workflow.

A branch and a tag can be moved. An action with the full hash of a commit, an image with
its digest, and an action of the same repository (`./PATH`) cannot change.

Source: https://docs.github.com/en/actions/reference/security/secure-use, "Using
third-party actions".
"""

import re
from collections.abc import Iterable

from answerable.connectors.formats.redaction import make_printable_line

_FIXED = re.compile(r"\./.*|[^@]+@(?:[0-9a-f]{40}|[0-9a-f]{64})|docker://.+@sha256:.+")


def list_unpinned_actions(uses: Iterable[str]) -> tuple[str, ...]:
    """List the actions that `uses` names by a branch or a tag, each once."""
    stated = (each.strip() for each in uses)
    return tuple(
        dict.fromkeys(
            make_printable_line(each, 200)
            for each in stated
            if each and not _FIXED.fullmatch(each)
        )
    )
