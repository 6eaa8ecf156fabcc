"""The sheet: twelve phantoms under their names."""

from __future__ import annotations

import numpy as np
import pytest

from zerosight.errors import ConfigError
from zerosight.synthesis.chests import contact_sheet, make_phantom


def test_the_first_tile_is_a_phantom_without_a_finding() -> None:
    sheet = contact_sheet(2, 64)
    assert sheet.shape == (3 * 70, 4 * 64)
    np.testing.assert_array_equal(sheet[6:70, :64], make_phantom(2, 0, 64, []).image)
    assert sheet[:6].max() > 100


def test_a_size_out_of_range_is_an_error() -> None:
    with pytest.raises(ConfigError, match="size 10"):
        contact_sheet(0, 10)
