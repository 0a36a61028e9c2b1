"""Teachers: audio transformers, their weights and the fusion of their layers."""
