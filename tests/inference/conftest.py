"""What the tests of runs share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.digits import digits
from tests.inference.running import RECIPE


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with images and a recipe that takes no time."""
    x, labels = digits(80)
    np.save(tmp_path / "digits.npy", x.reshape(-1, 8, 8))
    np.save(tmp_path / "labels.npy", labels)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return tmp_path
