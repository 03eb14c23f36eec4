"""JSON output of the command `answerable replay`. See docs/cli.md."""

from typing import Annotated, TypedDict

from answerable.model.documents.columns import Column


class AccessReplayItem(TypedDict):
    """Recorded calls that one kind of access would have let happen.

    The fields of harmful calls are null without `--indicator`, and if no recorded call
    matches one.
    """

    access: Annotated[
        str,
        Column("`standing`; `timed`: granted again on request; `baseline`", "", 0),
    ]
    t_s: Annotated[
        int | None,
        Column("lifetime T of a timed credential, in seconds", "T (s)", 0, "number"),
    ]
    allowed: Annotated[int, Column("calls that happen", "", 0, "number", right=True)]
    unasked: Annotated[
        int,
        Column(
            "number of calls that succeed without a new request",
            "unasked",
            1,
            "number",
            right=True,
        ),
    ]
    requests: Annotated[
        int,
        Column(
            "number of requests for access, all granted", "", 1, "number", right=True
        ),
    ]
    refused: Annotated[
        int, Column("number of calls that are refused", "", 1, "number", right=True)
    ]
    actions: Annotated[
        int, Column("distinct actions that happen", "", 2, "number", right=True)
    ]
    resources: Annotated[
        int,
        Column(
            "number of distinct resources of these calls", "", 2, "number", right=True
        ),
    ]
    harmful: Annotated[
        int | None,
        Column("number of harmful calls that succeed", "", 0, "number", right=True),
    ]
    harmful_unasked: Annotated[
        int | None,
        Column(
            "number of harmful calls that succeed without a new request",
            "harmful unasked",
            1,
            "number",
            right=True,
        ),
    ]
    first_harmful_s: Annotated[
        int | None,
        Column(
            "seconds from the first use of the credential to the first harmful call "
            "that succeeds; null if there is none",
            "delay",
            1,
            "number",
            right=True,
        ),
    ]
    live_s: Annotated[int, Column("seconds that credentials are usable, summed")]
    unlearned: Annotated[int, Column("refused calls of identities without a baseline")]
