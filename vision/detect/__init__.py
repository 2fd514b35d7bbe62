"""From a picture to what a model saw in it: any ONNX file with a head we know."""
