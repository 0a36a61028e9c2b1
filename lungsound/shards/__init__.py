"""Corpora of millions of clips as tar files, written once and read in order."""
