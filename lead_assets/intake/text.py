"""Reads a stream of UTF-8 through a moving window: however long it is, only a few megabytes are in memory.

Does not belong here: the meaning of the text (see `json_payloads`, `csv_payloads`, `form_payloads`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lead_assets.intake.payloads import MAX_RAW_TEXT

WHITE = b" \t\r\n"


class Text:
    """`data`: the window's content; `ended`: nothing follows it; `lines_gone`: line ends before it; `bytes_gone`: bytes before it."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self.data = b""
        self.ended = False
        self.lines_gone = self.bytes_gone = 0
        self._blocks = iter(blocks)

    def more(self, at: int = 0) -> bool:
        """Discard everything before `at`, which becomes 0, and read more. False at the end."""
        if at:
            self.lines_gone += self.data.count(b"\n", 0, at)
            self.bytes_gone += at
            self.data = self.data[at:]
        block = next(self._blocks, None)
        if block is None:
            self.ended = True
            return False
        self.data = self.data + block if self.data else block
        return True

    def fill(self, size: int) -> None:
        """Read until the window has this many bytes, if there are that many."""
        while len(self.data) < size and not self.ended:
            self.more()

    def skip_white(self) -> None:
        """Move the window to the first non-blank line, if there is one."""
        while not self.data.lstrip(WHITE):
            if not self.more(len(self.data)):
                return
        start = len(self.data) - len(self.data.lstrip(WHITE))
        self.more(self.data.rfind(b"\n", 0, start) + 1)

    def lines(self, limit: int) -> Iterator[tuple[bytes, int]]:
        """(whole lines, 0) in pieces of some megabytes; (head of a line, its size) for a line longer than `limit` that does not fit in one piece.

        `lines_gone` and `bytes_gone` do not follow.
        """
        while self.data or not self.ended:
            cut = self.data.rfind(b"\n") + 1
            if cut:
                # Not by `more`: whoever reads line by line counts them without looking at each byte once more.
                block, self.data = self.data[:cut], self.data[cut:]
                self.more()
                yield block, 0
            elif self.ended:
                block, self.data = self.data, b""
                yield block, 0
            elif len(self.data) > limit:
                yield self.long_line(0)
            else:
                self.more()

    def long_line(self, at: int) -> tuple[bytes, int]:
        """Skip a line that starts at `at` and does not end in the window; returns its head (empty if blank) and its size. Its line end stays."""
        self.bytes_gone += at
        self.lines_gone += self.data.count(b"\n", 0, at)
        self.data = self.data[at:]
        head, size, blank = self.data[: MAX_RAW_TEXT + 1], 0, not self.data.strip(WHITE)
        while True:
            size += len(self.data)
            if not self.more(len(self.data)):
                break
            end = self.data.find(b"\n")
            blank = blank and not self.data[: end if end >= 0 else len(self.data)].strip(WHITE)
            if end >= 0:
                size += end
                self.data = self.data[end:]
                break
        return (b"", size) if blank else (head, size)
