"""Masked Modeling Duo: the encoder, its published weights and their names."""
