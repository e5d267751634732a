"""The studio in the browser: FastAPI with Gradio mounted. It imports vecaf, never the reverse."""
