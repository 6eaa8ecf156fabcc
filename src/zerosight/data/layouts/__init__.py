"""Data sets as their owners publish them, read without copying or renaming a file."""

from zerosight.data.layouts.catalog import (
    LayoutDataset,
    find_layout,
    list_layouts,
    open_dataset,
    read_layout,
)
from zerosight.data.layouts.info import DatasetInfo, Expected

__all__ = [
    "DatasetInfo",
    "Expected",
    "LayoutDataset",
    "find_layout",
    "list_layouts",
    "open_dataset",
    "read_layout",
]
