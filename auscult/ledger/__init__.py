"""Evaluations: what they say, how they are stored, derived again and compared."""
