"""The files that the Slack on localhost is sent: a place for each, then all of them completed."""

from __future__ import annotations

import itertools
import json
from typing import Any

from aiohttp import web

from tests.slack_streams import StreamError

Json = dict[str, Any]

UPLOAD_SCOPES = {
    "files.getUploadURLExternal": "files:write",
    "files.completeUploadExternal": "files:write",
}


class Uploads:
    """What was uploaded. `shared` is, for each channel, the names and bytes of its files."""

    def __init__(self) -> None:
        self.shared: dict[str, dict[str, bytes]] = {}
        self.comments: list[str] = []
        self._names: dict[str, str] = {}
        self._lengths: dict[str, int] = {}
        self._bytes: dict[str, bytes] = {}
        self._ids = itertools.count(1)

    def begin(self, args: Json, *, url: str) -> Json:
        """Where a file of this length and name can be sent."""
        if not args.get("filename") or int(args.get("length", 0)) <= 0:
            raise StreamError("invalid_arguments")
        id_ = f"F{next(self._ids):06d}"
        self._names[id_], self._lengths[id_] = args["filename"], int(args["length"])
        return {"file_id": id_, "upload_url": f"{url}/{id_}"}

    async def receive(self, request: web.Request) -> web.Response:
        """The bytes of a file; refused if they are not as many as was said."""
        id_, body = request.match_info["id"], await request.read()
        if len(body) != self._lengths.get(id_):
            return web.Response(status=400)
        self._bytes[id_] = body
        return web.Response(text="OK")

    def complete(self, args: Json) -> Json:
        """Share files that have arrived in a channel."""
        files = args["files"]
        files = json.loads(files) if isinstance(files, str) else files
        channel = args.get("channel_id") or ""
        if channel[:1] not in ("C", "D", "G"):
            raise StreamError("invalid_channel")
        if any(file["id"] not in self._bytes for file in files):
            raise StreamError("file_not_found")
        for file in files:
            shared = self.shared.setdefault(channel, {})
            shared[self._names[file["id"]]] = self._bytes[file["id"]]
        self.comments.append(args.get("initial_comment", ""))
        return {"files": [{"id": file["id"]} for file in files]}
