"""The ground: recordings, log-mel, labels, splits, metrics, run folders."""
