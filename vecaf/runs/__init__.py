"""Runs: plan, preparation, the active finetuning loop, and records."""
