"""A set of policies, and mistakes to plant in it: each with what it is told by."""

from collections.abc import Iterator

MISTAKES: tuple[tuple[str, str], ...] = (
    ("permit (principal, action, resource) when {{ ;", "unexpected token `;`"),
    ("permit (principal action, resource);", "unexpected token `action`"),
    ("allow (principal, action, resource);", "invalid policy effect"),
    ('permit (principal, action == Action::"tools/kall", resource);', "unrecognized"),
    ('permit (principal == Agent::"agent:declared/anna", action, resource);', "anna"),
    ('permit (principal, action, resource in Server::"server:fils");', "fils"),
    ('permit (principal == Agnt::"x", action, resource);', "unrecognized entity type"),
    (
        'permit (principal, action == Action::"tools/call", resource) '
        'when {{ context.arguments.amount < "ten" }};',
        "expected Long but saw String",
    ),
    (
        "permit (principal, action, resource) when {{ context.arguments.amount < 1 }};",
        "attribute `arguments` in context",
    ),
    (
        'permit (principal, action == Action::"tools/call", resource) '
        'when {{ resource.nmae like "x*" }};',
        "`nmae`",
    ),
    (
        'permit (principal, action == Action::"tools/call", resource) '
        'when {{ context.identity == Identity::"x" }};',
        "optional attribute `identity`",
    ),
    ('permit (principal, action, resource == Tool::"read");', "tool:mcp/SERVER/NAME"),
    ("permit (principal == ?principal, action, resource);", "templates are not"),
    (
        "@ask\npermit (principal, action, resource);",
        "`@ask` is allowed only on a forbid",
    ),
    ('forbid (principal, action, resource == Tool::"tool:mcp/files/x);', "a string"),
    (
        'forbid (principal, action == Action::"tools/call", resource) when '
        "{{ context.arguments.amount > 99999999999999999999 }};",
        "integer",
    ),
    (
        'forbid (principal, action == Action::"tools/call", resource) when '
        "{{ context.arguments == {{}} }};",
        "cannot be used as whole values",
    ),
    (
        'forbid (principal, action == Action::"tools/call", resource) when '
        '{{ decimal("1.23456").lessThan(decimal("1.0")) }};',
        "decimal",
    ),
    ("forbid (principal, action, resource)", "the closing `;` is missing"),
    ('@id("twice")\nforbid (principal, action, resource);', "has the same id"),
)


def policies(count: int) -> Iterator[str]:
    """Policies of several kinds, each with an id and two or three lines."""
    for number in range(count):
        agent = ("ana", "ben", "cam")[number % 3]
        head = (
            f'@id("rule-{number}")\npermit (principal == '
            f'Agent::"agent:declared/{agent}", action == Action::"tools/call", '
            f'resource == Tool::"tool:mcp/files/t{number}")'
        )
        yield (
            f"{head};",
            f"{head}\nwhen {{ context.arguments.amount < {number} }};",
            f"{head}\nwhen {{ context.arguments.amount + 1 < {number} }};",
        )[number % 3]


def planted(count: int) -> tuple[str, list[tuple[int, str, str]]]:
    """Write a set with every mistake in it, and say where: line, id, what is told."""
    texts = [*policies(count), '@id("twice")\npermit (principal, action, resource);']
    step = count // len(MISTAKES)
    for number, (text, _) in enumerate(MISTAKES):
        named = text.replace("{{", "{").replace("}}", "}")
        if "@id" not in named:
            named = f'@id("wrong-{number}")\n{named}'
        texts.insert(number * step + number + step // 2, named)
    # Its twin stands before it.
    texts.insert(0, texts.pop())
    lines, found = 1, []
    wrong = {f'@id("wrong-{n}")': n for n in range(len(MISTAKES))}
    wrong['@id("twice")\nforbid'] = len(MISTAKES) - 1
    for text in texts:
        for start, number in wrong.items():
            if text.startswith((f"{start}\n", f"{start} ")):
                name = "twice" if "twice" in start else f"wrong-{number}"
                found.append((lines, name, MISTAKES[number][1]))
        lines += text.count("\n") + 2
    return "\n\n".join(texts) + "\n", found
