"""The image corruptions of ImageNet-C, and matching of a description to a corruption."""
