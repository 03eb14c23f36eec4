"""Random calls for the laws of a replay."""

import random
from collections.abc import Iterator

from answerable.baseline.access_replay import ReplayedCall


def random_calls(count: int) -> Iterator[list[ReplayedCall]]:
    """Yield lists of calls in the order of time, reproducible."""
    source = random.Random(28)  # noqa: S311 - test data, fixed seed
    for _ in range(count):
        at, calls = 0, []
        for _ in range(source.randint(1, 40)):
            at += source.randint(0, 9)
            calls.append(
                ReplayedCall(
                    at=at,
                    credential=source.choice("KLM"),
                    action=source.choice(("s3:Get", "s3:Put", "iam:Create")),
                    resources=(source.choice("rst"),),
                    is_held=source.random() < 0.5,
                    is_learned=source.random() < 0.8,
                    is_harmful=source.random() < 0.2,
                )
            )
        yield calls
