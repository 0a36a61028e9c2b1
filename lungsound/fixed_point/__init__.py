"""The log-mel in the integers of a device, as :mod:`numpy` computes them: the same bits as the C, and its tables."""
