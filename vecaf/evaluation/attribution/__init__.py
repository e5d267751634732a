"""Attribution of a prediction to training images."""
