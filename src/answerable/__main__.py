"""`python -m answerable` is the command line."""

import sys

from answerable.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
