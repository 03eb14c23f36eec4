"""Load the protection of this machine's clients, for the overview page."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from answerable.model.documents.protection import ProtectionStatusItem
from answerable.model.errors import AnswerableError
from answerable.presentation.gateway_coverage import (
    ProtectionSummary,
    summarise_protection,
)
from answerable.server.client_protection_status import (
    LoadedLineage,
    find_protect_config,
    is_protected,
    load_protection_status,
    plan_present_files,
    read_protect_config,
)
from answerable.server.restart_only_settings import resolve_store_folder
from answerable.server.state_folders import gateway_state
from answerable.services.authorization.decision_records import read_spool
from answerable.web.store_cache import StoreCache


def load_protection_summary(cache: StoreCache) -> ProtectionSummary | str | None:
    """Load the summary of `protect status` for the home of this process.

    Returns:
        None where nothing is protected, or where it belongs to another store; the
        reason where its files cannot be read.
    """
    try:
        home = Path.home()
    except RuntimeError:  # a user without an entry in the password file
        return None
    try:
        path = find_protect_config(home)
        if not is_protected(path):
            return None
        config = read_protect_config(path)
        default = home / ".local" / "share" / "answerable"
        if config is None or cache.root != resolve_store_folder(config, None, default):
            return None
        plan = plan_present_files(path, home, None)
        view = cache.current_view()
        state = gateway_state(config, cache.root)
        with cache.open_store() as store:
            document = load_protection_status(
                plan,
                config,
                store,
                cache.now,
                LoadedLineage(view.inventory, view.chains),
                complete=not read_spool(state / "spool").events,
                state=state,
            )
    except (AnswerableError, OSError) as error:
        return f"not readable: {getattr(error, 'message', type(error).__name__)}"
    return summarise_protection(cast("Sequence[ProtectionStatusItem]", document.items))
