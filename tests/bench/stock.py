"""A stock pygls server with the least that an inline completion needs: what pygls gives by itself."""

from __future__ import annotations

from lsprotocol import types
from pygls.lsp.server import LanguageServer

server = LanguageServer("stock", "1")


@server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
async def complete(ls: LanguageServer, params: types.InlineCompletionParams) -> types.InlineCompletionList:
    """A fixed item, after the window around the cursor was cut out."""
    document = ls.workspace.get_text_document(params.text_document.uri)
    offset = document.offset_at_position(params.position)
    source = document.source
    _window = source[max(0, offset - 8000) : offset], source[offset : offset + 2000]
    item = types.InlineCompletionItem(
        insert_text="a\nb\nc", range=types.Range(start=params.position, end=params.position)
    )
    return types.InlineCompletionList([item])


if __name__ == "__main__":
    server.start_io()
