"""What can go wrong in `retrieval`, and what the reader of the message can do about it."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from difflib import get_close_matches


def install(what: str) -> str:
    """What to do where libraries are missing that come with `what`, in the words of pip."""
    return f"run `pip install --constraint constraints.txt {what}` in Whimbrel's folder"


INSTALL = install("--editable .")
"""What to do where a library is missing that Whimbrel needs."""

PACKAGES = ("bot", "retrieval", "training")
"""Our own: what is missing in one of them is not to be installed."""

_MENDS = {
    errno.EACCES: "change its permissions, or run Whimbrel as a user who may open it",
    errno.EPERM: "change its permissions, or run Whimbrel as a user who may open it",
    errno.EROFS: "set WHIMBREL_HOME to a folder that can be written",
    errno.ENOTDIR: "set WHIMBREL_HOME to a folder",
    errno.EISDIR: "it is a folder; move it away, or name a file",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "it is a link that leads back to itself; replace it",
    errno.EEXIST: "set WHIMBREL_HOME to a folder",
    errno.ENOSPC: "free some space or set WHIMBREL_HOME to another disk",
    errno.EDQUOT: "free some space or set WHIMBREL_HOME to another disk",
    errno.EIO: "the disk or its connection may be failing",
}


class ToldError(Exception):
    """Its message is all that somebody has to be told whose command it ends."""


class RetrievalError(ToldError):
    """The base of everything this package raises on purpose."""


class SettingsError(RetrievalError):
    """A setting is missing or has a value that cannot be used."""


class ModelNotFoundError(RetrievalError):
    """A model name leads to no folder, no installed package and no hub model."""


class ModelCorruptError(RetrievalError):
    """A model's bytes are not the published ones, or no library can load them."""


class ModelUnsuitableError(RetrievalError):
    """A model is of another kind than the setting that names it wants."""


class IndexNotFoundError(RetrievalError):
    """There is no index yet."""


class IndexCorruptError(RetrievalError):
    """A file of the index is missing or is not what was written."""


class IndexMismatchError(RetrievalError):
    """The index was built with another embedder or another splitter version."""


class IndexUnreachableError(RetrievalError):
    """The server that has the index does not answer, or refuses."""


class UnreadableError(RetrievalError):
    """A file cannot be read; the message is the reason that the summary shows."""


class NoDocumentError(UnreadableError):
    """A file holds data and no document; the message is the kind that it is counted as."""


class RestrictedError(UnreadableError):
    """A file may be meant for some people alone, and for whom cannot be told for sure."""


class QuestionError(RetrievalError):
    """The question cannot be asked as it is: empty, only symbols, or far too long."""


class DataError(RetrievalError):
    """A file that people or Whimbrel wrote is not in the documented format."""


class BusyError(RetrievalError):
    """Another process is building what was asked for."""


class DiskFullError(RetrievalError):
    """What was to be written does not fit on the disk; nothing half-written is left."""


class NotReadyError(RetrievalError):
    """Something is being made that will be there in a moment."""


class GeneratorError(RetrievalError):
    """The generator cannot do what was asked, or its model failed."""


class EndpointError(RetrievalError):
    """A model's endpoint is not reached, refuses, or does not answer as it should."""


class EndpointUnreachableError(EndpointError):
    """A model's endpoint does not answer, or not with what was asked; later it may."""


class PromptTooLongError(GeneratorError):
    """The prompt and the answer do not fit what the model can take."""


class SourceError(RetrievalError):
    """A source is not reached, refuses, or does not answer as it should.

    `status` is what it answered over HTTP, if it did.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ChangedError(SourceError):
    """A body is another version than was listed: who may read it may have changed, too."""

    def __init__(self) -> None:
        super().__init__("was changed meanwhile, and is to be fetched yet")


class CursorExpiredError(SourceError):
    """A source no longer knows what has changed since a cursor: all must be listed again."""


def did_you_mean(name: str, known: Iterable[str], *, prefix: str = "") -> str:
    """The end of a message about an unknown name: the known one that is most like it, if one is."""
    folded = {name.casefold(): name for name in known}
    near = get_close_matches(name.casefold(), folded, n=1, cutoff=0.75)
    return f"; did you mean {prefix}{folded[near[0]]}?" if near else ""


def explain_system_error(error: OSError) -> str | None:
    """What the system refused and how to mend it, in one line; None if that may be our own bug."""
    if error.errno not in _MENDS or not error.strerror:
        return None
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror}; {_MENDS[error.errno]}"
