"""Where the public data sets lie beside the checkout; tests that need them skip where they do not."""

from pathlib import Path

import pytest

DATA = Path(__file__).parents[4] / "shared" / "data"

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the public data sets are not at ../shared/data")
