"""`scan` and `where`: take a snapshot, and list the places that a scan reads."""

from pathlib import Path

import click

from answerable.cli.output import print_and_exit
from answerable.cli.progress import progress_bar
from answerable.cli.session import open_session
from answerable.cli.settings import AppCommand, Settings, find_home, pass_settings
from answerable.model.errors import UsageError


@click.command(cls=AppCommand, short_help="Take a snapshot of agents and identities.")
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option(
    "--endpoint-url", default="", metavar="URL", help="URL of the AWS endpoint."
)
@click.option(
    "--profile",
    default="",
    metavar="NAME",
    help="AWS profile that provides the credentials.",
)
@click.option("--region", default="", metavar="NAME", help="AWS region to call.")
@click.option(
    "--regions",
    default="",
    metavar="A,B,...",
    help="Regions that aws-org: reads in each account.  [default: all enabled regions]",
)
@click.option(
    "--config",
    metavar="FILE",
    default="",
    help="Configuration file that lists the `sources` to scan.",
)
@pass_settings
def scan(
    settings: Settings,
    sources: tuple[str, ...],
    endpoint_url: str,
    profile: str,
    region: str,
    regions: str,
    config: str,
) -> None:
    """Take a snapshot of agents, tools, credentials and identities.

    SOURCE is NAME[:LOCATION]; without one, home:~ and repo:. are read.

    \b
    home:DIR           agent clients and ambient credentials of a home
    repo:DIR           project configs, workflows, CODEOWNERS
    aws:FILE           get-account-authorization-details JSON; aws: reads live
    aws-org:FILE       accounts, OUs, SCPs and RCPs; aws-org: reads AWS live, and
                       every account through role/AnswerableRead (aws-org:role/NAME)
    aws-resources:FILE resource policies, grants, tags; aws-resources: reads live
    aws-keys:FILE      list-access-keys output: the owner of each key
    k8s:FILE           kubectl get ... -o json or yaml of a cluster, manifests;
                       FILE,FILE,cluster=NAME; k8s: reads the current cluster
    github:FILE        REST responses or graph export of a GitHub organization
    gcp:FILE           output of gcloud about Google Cloud: policies, roles, accounts
    gcp-roles:FILE     permissions of Google Cloud roles, instead of the catalog
    azure:FILE         role assignments and definitions of Azure, from az
    pg:FILE            pg_dumpall and pg_dump --schema-only text of a PostgreSQL
                       server, or JSON of the catalog query; FILE,FILE,host=NAME
    opengraph:FILE     graph of another collector: OpenGraph or AzureHound
    people:FILE        directory export (SCIM, Okta, Entra, Google, CSV): leavers
    config:FILE        agents, owners and servers of an answerable.yaml

    A scan executes nothing, uses no credential that it finds, and stores or shows no
    value of a credential. Only live sources open a connection: github:ORG, and aws:,
    aws-org:, aws-resources:, gcp: and k8s: without a file.
    """  # noqa: D301 - click reads the \b
    from answerable.usecases.inventory import scan as flow

    cwd = Path.cwd()
    if config:
        cwd, sources = _list_config_sources(config, sources)
    with (
        open_session(settings, create=True) as session,
        progress_bar(settings) as progress,
    ):
        document = flow.scan_sources(
            session.store,
            sources,
            now=session.now,
            home=session.home,
            cwd=cwd,
            endpoint_url=endpoint_url,
            profile=profile,
            region=region,
            regions=[each for each in regions.replace(" ", "").split(",") if each],
            progress=progress,
        )
    print_and_exit(document, settings)


def _list_config_sources(
    config: str, sources: tuple[str, ...]
) -> tuple[Path, tuple[str, ...]]:
    """Return the `sources` of a configuration file, and the folder it is in.

    Raises:
        UsageError: Sources are named as well, or the file has none or a fault.
    """
    from answerable.connectors import registry
    from answerable.connectors.config.fetch import read_config_file
    from answerable.connectors.config.parse.config_faults import ConfigError
    from answerable.services.inventory.scan_sources import find_source_capability

    if sources:
        raise UsageError(
            f"SOURCE cannot be combined with --config (got {sources[0]!r})",
            "give --config or SOURCE, not both",
        )
    reading = read_config_file(config)
    if reading.config is None or reading.faults:
        raise ConfigError(config, reading.faults)
    named = [each.source for each in reading.config.sources]
    found = tuple(
        each for each in named if find_source_capability(each) != registry.EVENTS
    )
    if not found:
        raise UsageError(
            f"{config} has no `sources` to scan (expected a list of SOURCE)",
            "sources: [home:~, aws-org:role/AnswerableRead]",
        )
    return Path(reading.config.place).parent, found


@click.command(cls=AppCommand, short_help="List paths and API calls of each source.")
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option(
    "--policy",
    type=click.Choice(
        [
            "iam",
            "cloudformation",
            "terraform",
            "clusterrole",
            "github-app",
            "gcp-roles",
        ]
    ),
    help="Print the least-privilege policy of a live source, as a file to apply.",
)
@pass_settings
def where(settings: Settings, sources: tuple[str, ...], policy: str | None) -> None:
    """List the paths and API calls that each source reads, and whether each exists.

    Nothing is read and no connection is opened. The default sources are home:~ and
    repo:.

    --policy iam prints the policy of the scanning identity; cloudformation and
    terraform print the read-only role that aws-org: assumes in each account;
    clusterrole prints the ClusterRole of the identity that scans k8s:; github-app
    prints the manifest of the GitHub App that scans github:ORG; gcp-roles prints the
    roles of the identity that scans gcp:, as Terraform.
    """
    if policy is not None:
        from answerable.usecases.inventory import (
            aws_access_policy,
            github_access_policy,
            google_access_policy,
            kubernetes_access_policy,
        )

        names = [source.partition(":")[0] for source in sources]
        if policy == kubernetes_access_policy.FORM:
            text = kubernetes_access_policy.render_cluster_role(names)
        elif policy == github_access_policy.FORM:
            text = github_access_policy.render_app_manifest(names)
        elif policy == google_access_policy.FORM:
            text = google_access_policy.render_roles(names)
        else:
            text = aws_access_policy.render_access_policy(policy, names)
        click.echo(text, nl=False)
        return
    from answerable.usecases.inventory import list_scan_locations as flow

    print_and_exit(
        flow.list_scan_locations(sources, home=find_home(), cwd=Path.cwd()), settings
    )
