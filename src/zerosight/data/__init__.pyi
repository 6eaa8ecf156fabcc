from .find import find_images
from .layouts import list_layouts, open_dataset, read_layout
from .manifest import (
    Dataset,
    Manifest,
    ManifestHeader,
    Record,
    read_manifest,
    write_manifest,
)
from .masks import read_mask
from .pixels import read_image

__all__ = [
    "Dataset",
    "Manifest",
    "ManifestHeader",
    "Record",
    "find_images",
    "list_layouts",
    "open_dataset",
    "read_image",
    "read_layout",
    "read_manifest",
    "read_mask",
    "write_manifest",
]
