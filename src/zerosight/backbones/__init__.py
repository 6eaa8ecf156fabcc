"""Frozen vision-language backbones behind one protocol."""
