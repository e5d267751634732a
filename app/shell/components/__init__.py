"""Gradio components that several pages share."""
