"""Steps moved to the kernels of a core: which takes what, and why a step stays with plain C."""
