"""Tools that change ONNX graphs."""
