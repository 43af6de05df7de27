"""`python -m bbans_cli`: the same as `bbans`, without looking for it on the PATH."""

import sys

from .main import main

sys.exit(main())
