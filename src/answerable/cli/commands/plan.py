"""`plan`: replace static credentials by attested platforms."""

import re
import sys

import click

from answerable.cli.output import get_document_exit_code, print_and_exit
from answerable.cli.progress import progress_bar
from answerable.cli.session import open_session
from answerable.cli.settings import AppCommand, Settings, pass_settings
from answerable.model.errors import UsageError
from answerable.presentation.time_input import parse_time

_STATUS = "status"
_HOST = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9.-]*)(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?"
)
_MAX_SUBJECT = 255  # characters of `sub`: OpenID Connect Core 1.0, section 2
_SUBJECT = "repo:ORGANIZATION/REPOSITORY:ref:refs/heads/main"


@click.command(
    "plan", cls=AppCommand, short_help="Replace static keys by attested platforms."
)
@click.argument("names", nargs=-1, metavar="[status] [CREDENTIAL...]")
@click.option(
    "--since",
    default="90d",
    metavar="T",
    help="Only events since this time count for policies.  [default: 90d]",
)
@click.option(
    "--subject",
    default=_SUBJECT,
    metavar="SUB",
    help="Subject of the tokens that a new role trusts.",
)
@click.option(
    "--issuer",
    default="ISSUER",
    metavar="HOST",
    help="Host of the token service, for keys that the service replaces.",
)
@click.option(
    "--uid",
    type=click.IntRange(0, 2**32 - 2),
    default=None,
    metavar="N",
    help="User id of the workload, for the trust rule of the token service.",
)
@click.option(
    "--terraform", is_flag=True, help="Print the Terraform of the plans instead."
)
@pass_settings
def plan(
    settings: Settings,
    names: tuple[str, ...],
    since: str,
    subject: str,
    issuer: str,
    uid: int | None,
    terraform: bool,
) -> None:
    """Plan the replacement of each static credential.

    Each plan has the trust policy, the configuration of the platform as Terraform, the
    least privilege of the identity with its proofs, and the steps in order. Credentials
    that no attested platform is known to replace come last.

    `plan status` shows whether the old credentials are still used. A credential is
    silent if it was not used for longer than its longest pause, by the logs and by the
    last use in the scan.
    """
    from answerable.usecases.posture import plan_federation as flow

    if not _HOST.fullmatch(issuer):
        raise UsageError(
            f"not a host (got --issuer {issuer[:80]!r}, expected e.g. sts.corp.example)",
            "name the host of the token service, without https://",
        )
    if not subject.strip() or not subject.isprintable() or len(subject) > _MAX_SUBJECT:
        raise UsageError(
            f"not a subject of a token (got --subject {subject[:80]!r}, expected "
            f"printable text of at most {_MAX_SUBJECT} characters)",
            f"name the `sub` claim of the tokens, e.g. {_SUBJECT}",
        )
    is_status = names[:1] == (_STATUS,)
    with open_session(settings) as session, progress_bar(settings) as progress:
        options = flow.PlanOptions(
            since=parse_time(since, session.now, "--since"),
            now=session.now,
            subject=subject,
            issuer=issuer,
            with_policy=not is_status,
            uid=uid,
        )
        document = flow.plan_replacements(
            session.store,
            session.load_inventory(progress),
            names[1:] if is_status else names,
            options,
        )
    if not terraform:
        print_and_exit(document, settings)
    from answerable.services.posture.key_replacements import merge_terraform

    sys.stdout.write(merge_terraform(str(each["terraform"]) for each in document.items))
    click.get_current_context().exit(get_document_exit_code(document, settings))
