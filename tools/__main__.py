"""`python -m sixkit_tools` is the `sixkit` command."""

import sys

from .cli import main

sys.exit(main())
