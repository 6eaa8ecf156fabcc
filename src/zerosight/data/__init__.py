"""Data: images and masks on disk, manifests that list them, and data sets as their owners publish them.

    find        from names on a command line to image files
    pixels      a file to an image; ``dicom`` for DICOM, ``masks`` for masks
    manifest    a data set as JSON Lines, written and read in a stream; ``rows`` is what its lines hold
    layouts     data sets as they are published, read without copying or renaming a file
    check       what is wrong with a data set, file by file
    split       parts of a data set that no group is shared by
    chest       chest X-rays: names of findings, and what reports say

Nothing here imports torch.

What is offered here is in ``__init__.pyi`` and imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
