/** The suggestion that VS Code was given last: whether what is shown may be ours, and which one it is. */

import { commands, Range, type InlineCompletionItem, type TextDocument, type TextEditor } from 'vscode';

/** The context key that says whether the last answer had something to show; for the key bindings of Tab and Esc. */
const SUGGESTS = 'qwen-ls.suggests';

export class Ghost {
  #document: TextDocument | undefined;
  #items: readonly InlineCompletionItem[] = [];
  #suggests = false;

  /**
   * Note an answer; none at all is one. Where a suggestion begins is VS Code's to say: it knows at once, also after
   * a part was accepted, while a context key of ours comes later than the user's next key.
   */
  note(document?: TextDocument, items: readonly InlineCompletionItem[] = []): void {
    this.#document = document;
    this.#items = items;
    const suggests = items.length > 0;
    if (suggests !== this.#suggests) {
      this.#suggests = suggests;
      void commands.executeCommand('setContext', SUGGESTS, suggests);
    }
  }

  /** The item whose text stands at an editor's cursor, behind as much of it as was typed or accepted. */
  at(editor: TextEditor | undefined): InlineCompletionItem | undefined {
    if (!editor || editor.document !== this.#document) {
      return undefined;
    }
    const { document, selection } = editor;
    return this.#items.find(({ insertText, range }) => {
      if (!range || typeof insertText !== 'string' || selection.active.isBefore(range.start)) {
        return false;
      }
      const before = document.getText(new Range(range.start, selection.active));
      return insertText.length > before.length && insertText.startsWith(before);
    });
  }
}
