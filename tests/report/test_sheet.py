from __future__ import annotations

import numpy as np
from PIL import Image

from zerosight.report.sheet import contact_sheet
from zerosight.types import Prediction


def test_a_normal_image_is_shown_as_it_is_and_an_anomalous_one_is_marked():
    image = Image.fromarray(np.full((60, 80, 3), 90, np.uint8))
    quiet, loud = np.zeros((60, 80), np.float32), np.zeros((60, 80), np.float32)
    loud[20:40, 30:50] = 0.9
    found = [(image, Prediction("x", 0.1, 0.5, 0.5, scores, ())) for scores in (quiet, loud)]
    sheet = np.asarray(contact_sheet(found, side=60))
    assert sheet.shape == (126, 126, 3)
    photo, below_quiet, below_loud = sheet[:60, :60], sheet[66:, :60], sheet[66:, 66:]
    np.testing.assert_array_equal(photo, below_quiet)
    assert (below_loud != photo).any()
