"""`python -m flowpkg`: the command line."""

import sys

from flowpkg.cli import main

sys.exit(main())
