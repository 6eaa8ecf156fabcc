"""The weights of ``radz-tiny``, the tokenizer and the decoder under it; found by their entry point."""

from pathlib import Path

FOLDER = Path(__file__).parent
