"""An exported run: model files, model card, ONNX, and the selection's receipt."""
