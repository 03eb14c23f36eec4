"""A command as a person types it: whoever runs the tests may be an agent, or a
container's own shell."""

HUMAN_USER = (
    "import sys; from answerable.cli import signing; "
    "signing.require_human.__name__; signing.require_human = lambda *_: None; "
    "from answerable.cli.main import main; sys.exit(main())"
)
