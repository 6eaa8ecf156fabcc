"""Holding our numbers to those of the published implementations."""
