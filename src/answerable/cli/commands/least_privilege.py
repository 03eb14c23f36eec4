"""`least-privilege`: the smallest policy that allows what logs show."""

import sys
from collections.abc import Sequence
from typing import cast

import click

from answerable.cli.engine import engine_option, use_engine
from answerable.cli.lake import LakeSession, lake_option
from answerable.cli.output import get_document_exit_code, print_and_exit
from answerable.cli.output_file import write_output_file
from answerable.cli.progress import progress_bar
from answerable.cli.session import open_session
from answerable.cli.settings import AppCommand, Settings, WordChoice, pass_settings
from answerable.model.documents.least_privilege import LeastPrivilegeItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError
from answerable.presentation.time_input import parse_time

_TARGETS = ("aws-session-policy", "aws-policy", "aws-boundary", "aws-permission-set")


@click.command(
    "least-privilege",
    cls=AppCommand,
    short_help="Derive the smallest policy that allows the logged calls.",
)
@click.argument("identity", metavar="IDENTITY")
@click.option(
    "--since",
    default="90d",
    metavar="T",
    help="Only events since this time.  [default: 90d]",
)
@click.option(
    "--to",
    "target",
    type=WordChoice(_TARGETS),
    default=None,
    help="Kind of policy.  [default: aws-policy; aws-permission-set for such a role]",
)
@click.option(
    "--policy",
    default="",
    metavar="FILE",
    help="Write the policy to FILE, or to standard output instead of the table: -",
)
@click.option("--terraform", is_flag=True, help="Write --policy as Terraform.")
@engine_option
@lake_option
@pass_settings
def least_privilege(
    settings: Settings,
    identity: str,
    since: str,
    target: str | None,
    policy: str,
    terraform: bool,
    engine: str,
    lake: str,
) -> None:
    """Derive a policy for IDENTITY from ingested logs.

    IDENTITY is the ARN of a role or user, or a service account of Google Cloud or
    Kubernetes. The policy allows each successful call of the log on the recorded
    resource, and never more than the own policies of IDENTITY today. Both are proved by
    evaluation of the scanned account; the exit code is 1 if a proof fails, and 3 if
    data for a proof is missing.
    """
    from answerable.usecases.aws_permissions import least_privilege as flow

    if terraform and not policy:
        raise UsageError("--terraform requires --policy", "add --policy FILE")
    with open_session(settings) as session, progress_bar(settings) as progress:
        start = parse_time(since, session.now, "--since")
        more = LakeSession(session, lake, since=start)
        with use_engine(session, engine):
            document = flow.derive_least_privilege(
                session.store,
                session.load_inventory(progress),
                identity,
                since=start,
                now=session.now,
                target=target or "",
            )
        document = more.describe(document)
    if policy:
        _write_policy(document, policy, terraform=terraform)
    if policy == "-":
        click.get_current_context().exit(get_document_exit_code(document, settings))
    print_and_exit(document, settings, note=more.note)


def _write_policy(document: Document, file: str, *, terraform: bool) -> None:
    """Write the policy to a file, or to standard output.

    Raises:
        UsageError: The policy was refused, or the file is no regular file.
        EnvironmentFailure: The file cannot be written.
    """
    (item,) = cast("Sequence[LeastPrivilegeItem]", document.items)
    texts = [each["terraform" if terraform else "text"] for each in item["policies"]]
    if not any(texts):
        reasons = (
            "; ".join(item["refusals"])
            or "a session policy cannot be written as Terraform"
        )
        raise UsageError(f"no policy was derived ({reasons})", "")
    if file == "-":
        sys.stdout.write("".join(texts))
        sys.stdout.flush()
        return
    write_output_file(file, "".join(texts))
    click.echo(f"wrote {file}", err=True)
