"""Labels: predictions as the annotations of other tools, and corrected annotations back as a manifest.

regions   the pixels of a region; masks as PNG
boxes     COCO, YOLO, FiftyOne, supervision
studio    Label Studio, with its packing of brush strokes
back      COCO and Label Studio, corrected by people, to masks and a manifest
"""

from zerosight.integrations.labels.back import import_coco, import_label_studio
from zerosight.integrations.labels.boxes import to_supervision, write_coco, write_fiftyone, write_yolo
from zerosight.integrations.labels.regions import region_mask, write_masks
from zerosight.integrations.labels.studio import write_label_studio

__all__ = [
    "import_coco",
    "import_label_studio",
    "region_mask",
    "to_supervision",
    "write_coco",
    "write_fiftyone",
    "write_label_studio",
    "write_masks",
    "write_yolo",
]
