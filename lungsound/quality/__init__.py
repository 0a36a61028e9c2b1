"""Whether sound is worth an answer: what a window's signal tells, and what a model's scores tell."""
