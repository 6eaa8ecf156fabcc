"""Multimodal large language models read as encoders: images and texts in, decoder states out."""
