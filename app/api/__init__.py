"""The studio for programs: JSON over HTTP under /api/v1, and the same through gradio_client.

Both use the functions of `operations`, which authorize the user of the request. A VecafError
becomes {"error": message} over HTTP, and an exception in gradio_client.
"""

from .gradio_endpoints import endpoints
from .http_routes import routes
from .schema import BASE

__all__ = ["BASE", "endpoints", "routes"]
