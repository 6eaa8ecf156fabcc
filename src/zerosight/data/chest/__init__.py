"""Chest X-rays: the names of findings, and what radiology reports say about them."""
