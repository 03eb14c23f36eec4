"""Resource arguments of a question, parsed from user input."""

from difflib import get_close_matches

from answerable.model.errors import UsageError
from answerable.model.sighting import Facts
from answerable.reach.aws.action_names import Load, Used
from answerable.reach.aws.patterns.globs import inward, overlaps
from answerable.reach.aws.resource_names import check_resource


def read_resource(text: str, facts: Facts, load: Load, used: Used) -> str:
    """Parse a resource: an ARN, an `s3://` URI, `*`, or a known resource's name.

    Args:
        text: As typed.
        facts: The snapshot's.
        load: Loads services of the catalogue; None loads them all.
        used: Names that collected policies use.

    Raises:
        UsageError: It is none of these, or an ARN that no resource can have.
    """
    asked = as_arn(text.strip())
    if asked == "*":
        return asked
    if asked.startswith("arn:"):
        check_resource(asked, facts, load, used)
        return asked
    found = named_resources(facts, asked)
    if len(found) == 1:
        return found[0]
    hint = "use one of: " + ", ".join(found[:10]) if found else _near(facts, asked)
    raise UsageError(
        f"not a resource (got {text[:120]!r}, expected an ARN, s3://BUCKET/KEY or *)",
        hint,
    )


def read_resource_glob(text: str, facts: Facts, load: Load, used: Used) -> str:
    """Parse a resource glob: `*`, an ARN glob, or a glob over the text of an ARN.

    Args:
        text: As typed; an `s3://` URI and the name of a known resource are taken too.
        facts: The snapshot's.
        load: Loads services of the catalogue; None loads them all.
        used: Names that collected policies use.

    Raises:
        UsageError: No ARN can match it.
    """
    asked = as_arn(text.strip())
    wild = set("*?") & set(asked)
    if not asked.strip("*"):
        return asked or "*"
    if asked.startswith("arn:") or not wild:
        return read_resource(text, facts, load, used)
    if not overlaps(inward(asked), inward("arn:*:*:*:*:*")):
        raise UsageError(
            f"no ARN matches (got {text[:120]!r}, expected a glob over a whole ARN)",
            f"did you mean '*{asked.strip('*')}*'?",
        )
    return asked


def _near(facts: Facts, name: str) -> str:
    names = {str(r.id).replace("/", ":").rpartition(":")[2]: 0 for r in facts.resources}
    close = get_close_matches(name, names, n=1, cutoff=0.7)
    return f"did you mean {close[0]}?" if close else "give its ARN, or *"


def as_arn(resource: str) -> str:
    """Convert an `s3://` URI to an ARN; other texts stay unchanged."""
    if resource.startswith("s3://"):
        return "arn:aws:s3:::" + resource.removeprefix("s3://").rstrip("/")
    return resource


def named_resources(facts: Facts, name: str) -> list[str]:
    """List known resources whose ARN ends in a name."""
    ends = (f":{name}", f"/{name}")
    named = [str(r.id) for r in facts.resources if r.id.endswith(ends)]
    return named + [str(i.id) for i in facts.identities if i.id.endswith(ends)]
