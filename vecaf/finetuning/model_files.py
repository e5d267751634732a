"""The names of an exported model's files; apart from torch, for who only moves them."""

WEIGHTS, CONFIG, LABELS = "model.safetensors", "config.json", "labels.json"
