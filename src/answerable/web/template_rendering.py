"""Template rendering: values are escaped, and a missing value is an error."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from answerable.web import template_filters
from answerable.web.routing import PageAnswer, RouteRequest
from answerable.web.static_assets import asset_url, built_asset_url
from answerable.web.visitor import Visitor

PART_BLOCK = "part"


@cache
def template_environment() -> Environment:
    """Return the template environment with `asset_url` and `built_asset_url`."""
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
        asset=asset_url, built=built_asset_url, url=template_filters.build_url
    )
    # A part of a page is rendered without the lines above its blocks, imports too.
    made.globals["marks"] = made.get_template("marks.html").module
    return made


def compile_templates() -> None:
    """Compile every template at start."""
    made = template_environment()
    for name in made.list_templates(extensions=["html"]):
        made.get_template(name)


def render_page(page: PageAnswer, visit: Visitor, asked: RouteRequest) -> str:
    """Render a page, or only its block `part` for an htmx request."""
    template = template_environment().get_template(page.template)
    values = {**page.values, "title": page.title, "visit": visit, "asked": asked}
    if asked.part and PART_BLOCK in template.blocks:
        context = template.new_context(values)
        return "".join(template.blocks[PART_BLOCK](context))
    return template.render(values)
