"""ViP²-CLIP (arXiv 2505.17692): one file per named module of the paper."""
