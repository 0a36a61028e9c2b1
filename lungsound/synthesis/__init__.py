"""Breathing, crackles and wheezes made by the durations and frequencies that the literature gives."""
