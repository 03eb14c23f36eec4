"""Render Jinja templates: values are escaped, a missing value is an error."""

from contextvars import ContextVar
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from answerable.web import template_filters
from answerable.web.killed_subjects import is_killed
from answerable.web.navigation import NAVIGATION
from answerable.web.routing import PageAnswer, RouteRequest
from answerable.web.static_assets import asset_url, built_asset_url
from answerable.web.table_cards import name_cells
from answerable.web.visitor import Visitor

PART_BLOCK = "part"
_KILLED: ContextVar[frozenset[str] | None] = ContextVar("killed", default=frozenset())


@cache
def template_environment() -> Environment:
    """Return the Jinja environment with filters and globals, built once."""
    made = Environment(
        loader=PackageLoader("answerable.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        finalize=template_filters.escape_invisible,
    )
    made.filters.update(template_filters.TEMPLATE_FILTERS)
    made.globals.update(
        asset=asset_url,
        built=built_asset_url,
        url=template_filters.build_url,
        permission_page=template_filters.permission_page,
        is_killed=_is_killed,
        knows_kills=_knows_kills,
    )
    made.globals["navigation"] = NAVIGATION
    # A block is rendered without the imports above it, so `marks` is a global.
    made.globals["marks"] = made.get_template("marks.html").module
    return made


def _is_killed(key: str) -> bool:
    """Return whether the rendered page marks an agent, identity or credential as killed."""
    return is_killed(key, _KILLED.get())


def _knows_kills() -> bool:
    """Return whether it is known which subjects are killed."""
    return _KILLED.get() is not None


def compile_templates() -> None:
    """Compile every template, so that no request waits for it."""
    made = template_environment()
    for name in made.list_templates(extensions=["html"]):
        made.get_template(name)


def render_page(page: PageAnswer, visitor: Visitor, request: RouteRequest) -> str:
    """Render a page; for an htmx request only its block `part`."""
    token = _KILLED.set(request.killed)
    try:
        return _render(page, visitor, request)
    finally:
        _KILLED.reset(token)


def _render(page: PageAnswer, visitor: Visitor, request: RouteRequest) -> str:
    """Render a page, or its block `part`."""
    made = template_environment()
    template = made.get_template(page.template)
    values = {**page.values, "title": page.title, "visit": visitor, "asked": request}
    if request.part and PART_BLOCK in template.blocks:
        context = template.new_context(values)
        marks: Any = made.get_template("marks.html").module
        asked = (marks.printed(request.query), marks.unknown_kills())
        return name_cells("".join((*asked, *template.blocks[PART_BLOCK](context))))
    return name_cells(template.render(values))
