"""The Finetune page: configure and launch a run."""
