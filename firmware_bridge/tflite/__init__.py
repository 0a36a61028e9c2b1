"""An int8 .tflite file as a typed graph."""
