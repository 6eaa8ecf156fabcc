"""Two processes find the loss and the gradients that one finds on the whole batch."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from zerosight.train.radz.gather import average_gradients, gather_with_grad

pytestmark = pytest.mark.slow

WORKER = Path(__file__).with_name("gather_worker.py")
ROWS = (5, 2)  # unequally many


@pytest.fixture(scope="module")
def worker():
    spec = importlib.util.spec_from_file_location("gather_worker", WORKER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_two_processes_agree_with_one(tmp_path, worker):
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(sum(ROWS), 2, 6, generator=generator)
    labels = torch.rand(sum(ROWS), 3, generator=generator) < 0.4
    ids = torch.tensor([0, 1, 2, 1, 3, 1, 2**62])
    anchors = torch.randn(3, 4, generator=generator)
    shares = zip(*(value.split(ROWS) for value in (rows, labels, ids)), strict=True)
    for rank, (r, y, i) in enumerate(shares):
        torch.save({"rows": r, "labels": y, "ids": i, "anchors": anchors}, tmp_path / f"batch{rank}.pt")

    commands = [[sys.executable, str(WORKER), str(tmp_path), str(rank), "2"] for rank in range(2)]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands]
    messages = [process.communicate(timeout=90)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], messages

    value, model = worker.backward({"rows": rows, "labels": labels, "ids": ids, "anchors": anchors}, None)
    for rank in range(2):
        found = torch.load(tmp_path / f"found{rank}.pt")
        assert torch.equal(found["labels"], labels)
        for chunk in (None, 2):
            loss, gradients = found[chunk]
            assert loss.item() == pytest.approx(value.item(), abs=1e-6)
            for ours, parameter in zip(gradients, model.parameters(), strict=True):
                assert (ours - parameter.grad).abs().max() < 1e-6


def test_one_process_gathers_its_own_and_averages_nothing():
    rows = torch.ones(2, 3, requires_grad=True)
    assert gather_with_grad(rows) is rows
    parameter = torch.nn.Parameter(torch.ones(2))
    average_gradients([parameter])
    assert parameter.grad is None
