"""The words of a question: an action and a resource, as the user typed them."""

from collections.abc import Callable
from difflib import get_close_matches

from answerable.model.catalogue import Catalogue
from answerable.model.errors import UsageError
from answerable.model.sighting import Facts


def read_action(catalogue: Catalogue, text: str, whole: Callable[[], Catalogue]) -> str:
    """Spell an action as its service does.

    An action the catalogue does not hold may be new: it is an error only where another
    is spelled much like it.

    Args:
        catalogue: Holds the service, if there is such a service.
        text: As typed.
        whole: Loads every service; called to find a near spelling only.

    Raises:
        UsageError: The text is no action.
    """
    asked = text.strip()
    service, colon, name = asked.partition(":")
    if not colon or not service or not name or "*" in asked or "?" in asked:
        raise UsageError(
            f"not an action (got {text[:80]!r}, expected SERVICE:ACTION)",
            "for example s3:GetObject; `answerable reach --action GLOB` takes patterns",
        )
    entry = catalogue.action(asked)
    if entry:
        return str(entry)
    near = _near(catalogue, service.lower(), name, whole)
    if near:
        raise UsageError(f"unknown action (got {text[:80]!r})", f"did you mean {near}?")
    return asked


def _near(
    catalogue: Catalogue, service: str, name: str, whole: Callable[[], Catalogue]
) -> str:
    loaded = catalogue.services.get(service)
    if loaded:
        names = [action.name for action in loaded.actions.values()]
        close = get_close_matches(name, names, n=1, cutoff=0.8)
        return f"{service}:{close[0]}" if close else ""
    every = whole().services
    having = sorted(s for s, entry in every.items() if name.lower() in entry.actions)
    close = get_close_matches(service, having, n=1, cutoff=0.4)
    return str(every[close[0]].actions[name.lower()]) if close else ""


def read_resource(facts: Facts, text: str) -> str:
    """Read a resource: an ARN, an `s3://` URI, `*`, or a known resource's name.

    Raises:
        UsageError: It is none of these.
    """
    asked = as_arn(text.strip())
    if asked == "*" or asked.startswith("arn:"):
        return asked
    found = named_resources(facts, asked)
    if len(found) == 1:
        return found[0]
    hint = "use one of: " + ", ".join(found[:10]) if found else "give its ARN, or *"
    raise UsageError(
        f"not a resource (got {text[:120]!r}, expected an ARN, s3://BUCKET/KEY or *)",
        hint,
    )


def as_arn(resource: str) -> str:
    """Turn an `s3://` URI into an ARN; anything else stays as it is."""
    if resource.startswith("s3://"):
        return "arn:aws:s3:::" + resource.removeprefix("s3://").rstrip("/")
    return resource


def named_resources(facts: Facts, name: str) -> list[str]:
    """List known resources whose ARN ends in a name."""
    ends = (f":{name}", f"/{name}")
    named = [str(r.id) for r in facts.resources if r.id.endswith(ends)]
    return named + [str(i.id) for i in facts.identities if i.id.endswith(ends)]
