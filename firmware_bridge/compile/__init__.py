"""From an int8 graph to steps over rows: lowering, kernels, schedule, memory."""
