"""Load the IAM actions of AWS calls whose action has another name, or several.

The file names its source, licence and date. Calls that it does not list are authorised
by the action of their own name.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec

from answerable.model.errors import EnvironmentFailure


class _CallActions(msgspec.Struct):
    source: str
    licence: str
    date: str
    calls: dict[str, str]


@cache
def load_call_actions() -> Mapping[str, tuple[str, ...]]:
    """Load the actions by call, e.g. `s3:GetBucketEncryption`.

    Raises:
        EnvironmentFailure: The file is missing or damaged.
    """
    path = Path(__file__).with_name("call_actions.json")
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_CallActions)
    except (OSError, msgspec.MsgspecError) as error:
        raise EnvironmentFailure(
            f"the IAM actions of AWS calls cannot be read ({type(error).__name__})",
            "pip install --force-reinstall answerable",
        ) from None
    return {call: tuple(names.split()) for call, names in found.calls.items()}
