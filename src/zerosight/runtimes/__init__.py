"""Exported graphs, run without PyTorch."""
