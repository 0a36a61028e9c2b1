"""Scores of the field, intervals, and what needs no sound."""
