"""How networks are trained, and the folders that trainings leave behind."""
