"""Export of a finished run: model files, ONNX, model card, selection and receipt."""
