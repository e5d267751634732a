"""The Predict page: apply a finished run's model to images."""
