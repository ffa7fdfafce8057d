/**
 * Waits for answers longer than VS Code does.
 *
 * Since 1.125 VS Code waits 750 ms for inline completions after a word character, then cancels the request and
 * opens its own list (`editor.quickSuggestions`: `offWhenInlineCompletions`). Here a request lives until the text
 * changes; when its answer comes and VS Code no longer waits for it, VS Code is made to ask again, and the server
 * has the answer at hand.
 */

import {
  CancellationTokenSource,
  commands,
  InlineCompletionTriggerKind,
  window,
  workspace,
  type Disposable,
  type InlineCompletionItem,
  type InlineCompletionList,
  type Position,
  type TextDocument,
} from 'vscode';
import type { Middleware } from 'vscode-languageclient/node';

type Provide = NonNullable<Middleware['provideInlineCompletionItems']>;

interface Place {
  readonly document: TextDocument;
  readonly version: number;
  readonly position: Position;
}

export class Patience implements Disposable {
  readonly #listeners: Disposable[];
  readonly #waiting = new Map<TextDocument, CancellationTokenSource>();
  #late: Place | undefined;

  constructor() {
    this.#listeners = [
      workspace.onDidChangeTextDocument(({ document }) => this.#giveUp(document)),
      workspace.onDidCloseTextDocument((document) => this.#giveUp(document)),
    ];
  }

  dispose(): void {
    this.#listeners.forEach((listener) => listener.dispose());
    [...this.#waiting.keys()].forEach((document) => this.#giveUp(document));
  }

  readonly provide: Provide = async (document, position, context, token, next) => {
    const place = { document, version: document.version, position };
    if (this.#late && isSame(this.#late, place)) {
      // Asked for by us, not by the user, who would get another answer than the one that has come.
      context = { ...context, triggerKind: InlineCompletionTriggerKind.Automatic };
    }
    this.#late = undefined;
    this.#giveUp(document);
    const waiting = new CancellationTokenSource();
    this.#waiting.set(document, waiting);
    try {
      const answer = await next(document, position, context, waiting.token);
      if (!token.isCancellationRequested) {
        return answer;
      }
      if (itemsOf(answer).length > 0 && isWhereTheCursorIs(place)) {
        this.#late = place;
        await commands.executeCommand('editor.action.inlineSuggest.trigger');
      }
      return null;
    } finally {
      if (this.#waiting.get(document) === waiting) {
        this.#waiting.delete(document);
      }
      waiting.dispose();
    }
  };

  #giveUp(document: TextDocument): void {
    this.#waiting.get(document)?.cancel();
    this.#waiting.delete(document);
  }
}

/** The items of an answer, in whatever form it is. */
export function itemsOf(
  answer: InlineCompletionItem[] | InlineCompletionList | null | undefined,
): readonly InlineCompletionItem[] {
  return Array.isArray(answer) ? answer : (answer?.items ?? []);
}

function isSame(one: Place, other: Place): boolean {
  return (
    one.document === other.document && one.version === other.version && one.position.isEqual(other.position)
  );
}

function isWhereTheCursorIs({ document, version, position }: Place): boolean {
  const editor = window.activeTextEditor;
  return (
    editor?.document === document && document.version === version && editor.selection.isEmpty &&
    editor.selection.active.isEqual(position)
  );
}
