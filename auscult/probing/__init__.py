"""Frozen features of any encoder, a teacher's or a student's, judged by linear probes."""
