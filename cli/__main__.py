"""`python -m bbans_cli`: the command `bbans` without a search of the PATH."""

import sys

from .main import main

sys.exit(main())
