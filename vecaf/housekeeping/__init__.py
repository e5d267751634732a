"""The home as a whole: backing it up, finding what does not belong together, cleaning up."""
