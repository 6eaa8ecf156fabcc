from __future__ import annotations

import pytest

from zerosight.errors import ConfigError
from zerosight.train.radz.config import RadzTrainConfig

MLLM = {"model": "random:llava"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "give either 'start'"),
        ({"start": "radz-tiny", "mllm": MLLM}, "give either 'start'"),
        ({"start": "radz-tiny", "model": {"dim": 8}}, "'model' is what 'start' has"),
        ({"mllm": MLLM, "image_attention": "full"}, "'image_attention' goes with 'start'"),
        ({"mllm": MLLM, "precision": "16-mixed"}, "precision"),
        ({"mllm": MLLM, "batch_size": 1}, "batch_size"),
        ({"mllm": MLLM, "seed": -1}, "seed"),
        ({"mllm": MLLM, "retention_epochs": 2}, "set retention=1"),
        ({"mllm": MLLM, "retention": 1, "retention_epochs": 10}, "the first of the 10 'epochs'"),
        ({"mllm": MLLM, "micro_batch": 4}, "did you mean 'micro_batch_size'"),
    ],
)
def test_settings_that_make_no_run_are_refused_in_a_line(values, message):
    with pytest.raises(ConfigError, match=message) as error:
        RadzTrainConfig.parse({"data": ["a"], "out": "b", **values})
    assert "\n" not in str(error.value)
    assert "Value error" not in str(error.value)
