"""The models: one folder per paper."""
