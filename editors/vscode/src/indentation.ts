/** Whether VS Code's own Tab would indent instead of accepting a suggestion. Pure. */

/**
 * Whether ghost text stands in a line's indentation and begins with as much as a tab stop of its own.
 *
 * @param before the line's text before the cursor
 * @param ghost the text that would be inserted at the cursor
 * @param tabSize columns
 */
export function beginsWithIndentation(before: string, ghost: string, tabSize: number): boolean {
  if (before.trim() !== '') {
    return false;
  }
  let column = 0;
  for (const character of /^[ \t]*/.exec(ghost)?.[0] ?? '') {
    column += character === '\t' ? tabSize - (column % tabSize) : 1;
  }
  return column >= tabSize;
}
