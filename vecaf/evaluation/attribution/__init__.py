"""Which training images are responsible for a prediction."""
