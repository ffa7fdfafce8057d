"""The README's picture, taken from the real playground: `python -m tests.cli.picture [docs/try.svg]`.

Runs `qwen-ls try` in a pty, waits until a suggestion is on the screen, and writes down what the screen shows,
cell by cell. Nothing is drawn that the program did not draw, but for the window around it. Without a key in
the environment the model is the local one.
"""

import sys
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

from tests.cli.terminal import Terminal

ESCAPE, CTRL_SPACE, CTRL_Q = "\x1b", "\x00", "\x11"
COLUMNS, ROWS = 92, 31
CELL_WIDTH, CELL_HEIGHT, FONT_SIZE = 8.4, 18, 14
MARGIN, TITLE_HEIGHT = 14, 34
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
BACKGROUND, FOREGROUND, FRAME = "#1e2127", "#d7dae0", "#2c313a"
PALETTE = {
    "black": "#3f4451",
    "red": "#e06c75",
    "green": "#98c379",
    "brown": "#d8b06a",
    "blue": "#61afef",
    "magenta": "#c678dd",
    "cyan": "#56b6c2",
    "white": "#d7dae0",
    "brightblack": "#7f8797",
}


def colours(cell):
    """A cell's colours, foreground first; None for the window's own background."""
    front = colour(cell.fg, FOREGROUND)
    back = colour(cell.bg, None)
    return (back or BACKGROUND, front) if cell.reverse else (front, back)


def colour(name, default):
    if name == "default":
        return default
    return PALETTE.get(name) or (f"#{name}" if len(name) == 6 else FOREGROUND)


def text_run(row, column, cells, width):
    """Some neighbouring cells of one style as SVG."""
    front, back = colours(cells[0])
    x, y = MARGIN + column * CELL_WIDTH, TITLE_HEIGHT + row * CELL_HEIGHT
    if back is not None:
        size = f'width="{width * CELL_WIDTH:.1f}" height="{CELL_HEIGHT}"'
        yield f'<rect x="{x:.1f}" y="{y}" {size} fill="{back}"/>'
    text = "".join(cell.data for cell in cells)
    if text.strip():
        style = ' font-style="italic"' * cells[0].italics + ' font-weight="bold"' * cells[0].bold
        yield (
            f'<text x="{x:.1f}" y="{y + CELL_HEIGHT - 5}" textLength="{width * CELL_WIDTH:.1f}" '
            f'fill="{front}"{style}>{escape(text)}</text>'
        )


def screen_as_svg(screen, title):
    """What the screen shows, in a window."""
    width = 2 * MARGIN + screen.columns * CELL_WIDTH
    height = TITLE_HEIGHT + MARGIN + screen.lines * CELL_HEIGHT
    lights = "".join(
        f'<circle cx="{17 + 18 * place}" cy="13" r="5.5" fill="{PALETTE[name]}"/>'
        for place, name in enumerate(("red", "brown", "green"))
    )
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    title = escape(title)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{title}">',
        f"<title>{title}</title>",
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
        f'<path d="M0 26V8a8 8 0 0 1 8-8h{width - 16:.0f}a8 8 0 0 1 8 8v18z" fill="{FRAME}"/>',
        lights,
        # On the texts themselves: browsers have a rule for them, which outweighs what they inherit.
        "<style>text { white-space: pre }</style>",
        f'<g font-family="{FONT}" font-size="{FONT_SIZE}" xml:space="preserve">',
    ]
    for row in range(screen.lines):
        cells = [(column, screen.buffer[row][column]) for column in range(screen.columns)]
        for _, group in groupby(cells, key=lambda cell: cell[1]._replace(data="")):
            run = list(group)
            parts += text_run(row, run[0][0], [cell for _, cell in run], len(run))
    x, y = MARGIN + screen.cursor.x * CELL_WIDTH, TITLE_HEIGHT + screen.cursor.y * CELL_HEIGHT
    parts.append(f'<rect x="{x:.1f}" y="{y}" width="2" height="{CELL_HEIGHT}" fill="{FOREGROUND}"/>')
    return "\n".join([*parts, "</g>", "</svg>", ""])


def main(path):
    command = [sys.executable, "-m", "qwen_ls", "try", "--yes"]
    with Terminal(command, columns=COLUMNS, rows=ROWS) as terminal:
        terminal.see("Tab accept", "from the model")
        # The first answer waited for the engine to read the document; the second is what users live with.
        terminal.send(ESCAPE)
        terminal.gone("from the model")
        terminal.send(CTRL_SPACE)
        terminal.see("from the model")
        path.parent.mkdir(exist_ok=True)
        path.write_text(screen_as_svg(terminal.screen, "qwen-ls try: ghost text in a terminal"), "utf-8")
        print(terminal.text)
        terminal.send(CTRL_Q)
        return terminal.ended()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/try.svg")))
