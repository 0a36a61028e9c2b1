"""Export: a trained student in, a checked int8 bundle out."""
