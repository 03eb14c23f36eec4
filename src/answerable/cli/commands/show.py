"""`show`: print one entity with all its relations."""

import click

from answerable.cli.commands.decisions import find_decision_sources
from answerable.cli.output import print_and_exit
from answerable.cli.progress import progress_bar
from answerable.cli.session import open_session
from answerable.cli.settings import AppCommand, Settings, pass_settings


@click.command(cls=AppCommand, short_help="Show one item with all its links.")
@click.argument("subject", metavar="ID")
@click.option(
    "--config",
    metavar="FILE",
    default="",
    help="Configuration file of the gateway, whose spool is also read.",
)
@pass_settings
def show(settings: Settings, subject: str, config: str) -> None:
    """Show an agent, tool, identity, credential, person, resource, event or decision.

    ID is an id, an ARN, a URI or an unambiguous name. Each row is a fact or a link to
    another item, with its source and its possible writer. A row without a value
    is not known and names the source that would supply it.
    """
    from answerable.services.lineage.chain_cache import load_or_compute_chains
    from answerable.services.lineage.lineage_search import SearchScope
    from answerable.usecases.inventory.show import show_subject

    spool, _ = find_decision_sources(settings, config)
    with open_session(settings) as session, progress_bar(settings) as progress:
        inventory = session.load_inventory(progress)
        scope = SearchScope(inventory, load_or_compute_chains(session.store))
        document = show_subject(session.store, scope, subject, spool, now=session.now)
    print_and_exit(document, settings)
