"""Download the images that a table names by URL, over HTTPS only and within the import's limits."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx

from vecaf.datasets.archive import HEAD, ByteBudget, HeadCheck, Member, Source
from vecaf.datasets.import_report import Refused
from vecaf.settings import Limits

SECONDS = 20.0  # without data from the server
MAX_REDIRECTS = 5


class UrlSource:
    """A source with further members whose keys are URLs."""

    def __init__(
        self,
        source: Source,
        members: list[Member],
        limits: Limits,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._source = source
        self.members, self.refused = members, source.refused
        self.passed_over = source.passed_over
        self._budget = ByteBudget(limits.max_expanded_bytes)
        self._client = httpx.Client(
            transport=transport,
            timeout=SECONDS,
            follow_redirects=True,
            max_redirects=MAX_REDIRECTS,
            event_hooks={"request": [_only_https]},
        )

    def read(self, member: Member, check_head: HeadCheck, max_bytes: int) -> bytes:
        """Return the content of a member; see `Source.read`."""
        if not isinstance(member.key, str):
            return self._source.read(member, check_head, max_bytes)
        host = urlsplit(member.key).hostname
        try:
            with self._client.stream("GET", member.key) as response:
                if response.status_code != httpx.codes.OK:
                    raise Refused(f"{host} answered with status {response.status_code}")
                return self._content(response, check_head, max_bytes)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            reason = str(error) or type(error).__name__
            raise Refused(f"it can't be downloaded from {host} ({reason})") from error

    def _content(self, response: httpx.Response, check_head: HeadCheck, max_bytes: int) -> bytes:
        content = bytearray()
        checked = False
        for chunk in response.iter_bytes():
            content += chunk
            self._budget.spend(len(chunk))
            if not checked and len(content) >= HEAD:
                check_head(bytes(content[:HEAD]))
                checked = True
            if len(content) > max_bytes:
                raise Refused(
                    f"it is larger than {max_bytes / 2**20:g} MiB, the limit for one file"
                )
        if not checked:
            check_head(bytes(content))
        return bytes(content)

    def close(self) -> None:
        """Close the connections and the other source."""
        self._client.close()
        self._source.close()


def _only_https(request: httpx.Request) -> None:
    """Refuse a URL, or a redirect, that is not encrypted."""
    if request.url.scheme != "https":
        raise httpx.UnsupportedProtocol("only https:// URLs are downloaded")
