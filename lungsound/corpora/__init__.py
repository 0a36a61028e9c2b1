"""Corpora as published on disk, read into one table; their check and their splits."""
