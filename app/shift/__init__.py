"""The Shift page: adapt a model to a target domain and measure the effect."""
