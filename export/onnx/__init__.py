"""ONNX: float, and int8 with quantizers around every operator."""
