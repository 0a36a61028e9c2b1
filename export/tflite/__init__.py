"""TFLite: written operator by operator, ranges, int8."""
