"""Template rendering: values are escaped, and a missing value is an error."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from answerable.web import template_filters
from answerable.web.routing import Asked, Page
from answerable.web.static_assets import asset, built
from answerable.web.visitor import Visit

PART = "part"


@cache
def environment() -> Environment:
    """Return the template environment with `asset` and `built`."""
    made = Environment(
        loader=PackageLoader("answerable.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        finalize=template_filters.shown,
    )
    made.filters.update(template_filters.FILTERS)
    made.globals.update(asset=asset, built=built, url=template_filters.url)
    # A part of a page is rendered without the lines above its blocks, imports too.
    made.globals["marks"] = made.get_template("marks.html").module
    return made


def prepare() -> None:
    """Compile every template at start."""
    made = environment()
    for name in made.list_templates(extensions=["html"]):
        made.get_template(name)


def render(page: Page, visit: Visit, asked: Asked) -> str:
    """Render a page, or only its block `part` for an htmx request."""
    template = environment().get_template(page.template)
    values = {**page.values, "title": page.title, "visit": visit, "asked": asked}
    if asked.part and PART in template.blocks:
        context = template.new_context(values)
        return "".join(template.blocks[PART](context))
    return template.render(values)
