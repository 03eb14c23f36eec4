"""Options of `reach --compare-aws`: compare sampled verdicts with the AWS simulator."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from answerable.cli.session import StoreSession
    from answerable.model.documents.shared_shapes import Document
    from answerable.model.inventory import Inventory

COMPARISON_FLAG = "--compare-aws"
COMPARISON_OPTIONS = ("sample", "seed", "endpoint_url", "profile", "region")
_OPTIONS = (
    click.option(
        COMPARISON_FLAG,
        is_flag=True,
        help="Compare a sample of verdicts with iam:SimulatePrincipalPolicy; connects "
        "to AWS.",
    ),
    click.option(
        "--sample",
        default=200,
        show_default=True,
        help="Number of simulations to request.",
    ),
    click.option(
        "--seed", default=0, show_default=True, help="Random seed of the sample."
    ),
    click.option(
        "--endpoint-url", default="", metavar="URL", help="URL of the AWS endpoint."
    ),
    click.option(
        "--profile",
        default="",
        metavar="NAME",
        help="AWS profile that provides the credentials.",
    ),
    click.option("--region", default="", metavar="NAME", help="AWS region to call."),
)


@dataclass(frozen=True, slots=True)
class AwsComparison:
    """Comparison that a command line asks for."""

    sample: int
    seed: int
    endpoint_url: str
    profile: str
    region: str

    def run(
        self,
        session: "StoreSession",
        inventory: "Inventory",
        subject: str,
        action: str,
        progress: Callable[[int, int, str], None],
    ) -> "Document":
        """Compare a sample of the whole account, or of one subject."""
        from answerable.usecases.aws_permissions import compare_with_aws

        return compare_with_aws.compare_with_simulator(
            inventory,
            subject,
            now=session.now,
            action=action,
            sample=self.sample,
            seed=self.seed,
            endpoint_url=self.endpoint_url,
            profile=self.profile,
            region=self.region,
            progress=progress,
        )


def add_comparison_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options; the command receives them as one argument `comparison`."""

    @wraps(command)
    def collect(*, compare_aws: bool, **named: object) -> None:
        options = {name: named.pop(name) for name in COMPARISON_OPTIONS}
        comparison = AwsComparison(**options) if compare_aws else None  # type: ignore[arg-type]  # parsed by click
        command(comparison=comparison, **named)

    for option in reversed(_OPTIONS):
        collect = option(collect)
    return collect
