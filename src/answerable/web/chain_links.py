"""Build the links of a chain diagram, with the marks of killed subjects."""

from functools import partial

from answerable.lineage.search_query import SearchQuery
from answerable.web.killed_subjects import is_killed, read_killed_subjects
from answerable.web.store_cache import StoreCache
from answerable.web.svg.chain_layout import ChainLinks
from answerable.web.template_filters import entity_page

_EVERYTHING = SearchQuery()


def build_chain_links(
    cache: StoreCache, query: SearchQuery = _EVERYTHING
) -> ChainLinks:
    """Build the links of a diagram whose groups lead to narrower queries."""
    killed = read_killed_subjects(cache)
    return ChainLinks(query, entity_page, partial(is_killed, killed=killed))
