"""The engines that this machine has."""

from __future__ import annotations

import pytest

from bbans.exact import engines

_core = engines.native()
LEVELS: list[str] = [] if _core is None else _core.levels()
ENGINES = [engines.REFERENCE, *LEVELS]
COMPILED = "", engines.REFERENCE
"""Values of BBANS_ENGINE with the compiled core, where it was built, and without."""
needs_core = pytest.mark.skipif(not LEVELS, reason="the compiled core was not built")
