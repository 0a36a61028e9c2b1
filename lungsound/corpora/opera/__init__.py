"""Corpora of the OPERA benchmark (Zhang et al. 2024): what is known of each is known of whole recordings or people."""
