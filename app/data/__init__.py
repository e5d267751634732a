"""The Data page: import datasets, review and edit their images, labels and captions."""
