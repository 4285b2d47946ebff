"""`python -m codetether`."""

import sys

from codetether.cli import main

sys.exit(main())
