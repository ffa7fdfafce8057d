/**
 * Waits for answers longer than VS Code does.
 *
 * Since 1.125 VS Code waits 750 ms for inline completions after a word character, then cancels the request and
 * opens its own list (`editor.quickSuggestions`: `offWhenInlineCompletions`). Here a question lives until the text
 * changes; when its answer comes and VS Code no longer waits for it, VS Code is made to ask again, and gets it.
 */

import {
  CancellationTokenSource,
  commands,
  InlineCompletionTriggerKind,
  window,
  workspace,
  type CancellationToken,
  type Disposable,
  type InlineCompletionContext,
  type InlineCompletionItem,
  type InlineCompletionList,
  type Position,
  type ProviderResult,
  type TextDocument,
} from 'vscode';
import type { Middleware } from 'vscode-languageclient/node';

type Provide = NonNullable<Middleware['provideInlineCompletionItems']>;

/** A request that is cancelled later than this, in milliseconds, was given up by that rule. */
const GIVEN_UP_MS = 400;
/** So long after that, in milliseconds, a list that opens is VS Code's own; later, the user has asked for it. */
const OPENING_MS = 1500;
/** So long, in milliseconds, a list that has opened may fill itself and change its first row. */
const FILLING_MS = 300;

type Answer = InlineCompletionItem[] | InlineCompletionList | null | undefined;

/** A question that was put to the server, and what has come of it. */
interface Question {
  readonly document: TextDocument;
  readonly version: number;
  readonly position: Position;
  readonly cancel: CancellationTokenSource;
  readonly answer: Promise<Answer>;
  /** VS Code's latest request for this place. */
  token: CancellationToken;
  /** When VS Code gave up waiting, to open its list instead. */
  givenUpAt: number | undefined;
  /** The list that has opened: when, with which row selected, and whether the user has selected another one. */
  list: { readonly openedAt: number; readonly row: string; isInUse: boolean } | undefined;
  /** `due`: VS Code was told to ask for the answer, which it had not waited for. */
  stage: 'waiting' | 'answered' | 'due';
}

export class Patience implements Disposable {
  readonly #listeners: Disposable[];
  /** The last one; forgotten when its document changes. */
  #question: Question | undefined;

  constructor() {
    const forget = (document: TextDocument): void => {
      if (document === this.#question?.document) {
        this.#forget();
      }
    };
    this.#listeners = [
      workspace.onDidChangeTextDocument(({ document, contentChanges }) => contentChanges.length && forget(document)),
      workspace.onDidCloseTextDocument(forget),
    ];
  }

  dispose(): void {
    this.#listeners.forEach((listener) => listener.dispose());
    this.#forget();
  }

  readonly provide: Provide = async (document, position, context, token, next) => {
    const question =
      this.#joined(document, position, context, token) ??
      this.#asked(document, position, token, (own) => next(document, position, context, own));
    const hasOpened = noteRow(question, context.selectedCompletionInfo?.text);
    const answer = await question.answer;
    if (token === question.token) {
      const isFirst = question.stage === 'waiting';
      const isDropped = isFirst && !question.list && token.isCancellationRequested;
      const isCovered = (isFirst || hasOpened) && question.givenUpAt !== undefined && question.list?.isInUse === false;
      question.stage = 'answered';
      if ((isDropped || isCovered) && itemsOf(answer).length > 0 && isWhereTheCursorIs(question)) {
        // Not awaited: VS Code asks for it while this request is still open.
        void showLate(question);
      }
    }
    return token.isCancellationRequested ? null : answer;
  };

  /**
   * The question of the same place: that its answer is waited for, or is due. Opening its list, VS Code asks
   * again at the same place, for what goes on after the list's first row; the question before stands.
   */
  #joined(
    document: TextDocument,
    position: Position,
    context: InlineCompletionContext,
    token: CancellationToken,
  ): Question | undefined {
    const last = this.#question;
    const isSame = last?.document === document && last.version === document.version && last.position.isEqual(position);
    // A user who asks again wants another answer.
    const isByUser = context.triggerKind === InlineCompletionTriggerKind.Invoke;
    const isOpening =
      context.selectedCompletionInfo && !last?.list && Date.now() - (last?.givenUpAt ?? 0) < OPENING_MS;
    const isWanted = last?.stage === 'due' || (last?.stage === 'waiting' && !isByUser) || isOpening;
    if (!last || !isSame || !isWanted) {
      return undefined;
    }
    last.token = token;
    return last;
  }

  #asked(
    document: TextDocument,
    position: Position,
    token: CancellationToken,
    ask: (token: CancellationToken) => ProviderResult<Answer>,
  ): Question {
    this.#forget();
    const cancel = new CancellationTokenSource();
    const answer = Promise.resolve(ask(cancel.token));
    const place = { document, version: document.version, position };
    const question: Question = {
      ...place,
      cancel,
      answer,
      token,
      givenUpAt: undefined,
      list: undefined,
      stage: 'waiting',
    };
    const askedAt = Date.now();
    token.onCancellationRequested(() => {
      if (question.stage === 'waiting' && Date.now() - askedAt >= GIVEN_UP_MS) {
        question.givenUpAt = Date.now();
      }
    });
    this.#question = question;
    return question;
  }

  #forget(): void {
    this.#question?.cancel.cancel();
    this.#question?.cancel.dispose();
    this.#question = undefined;
  }
}

/** Note the row that VS Code's list has selected, if it is open; returns whether it has just opened. */
function noteRow(question: Question, row: string | undefined): boolean {
  if (row === undefined) {
    return false;
  }
  const { list } = question;
  question.list ??= { openedAt: Date.now(), row, isInUse: false };
  if (list && list.row !== row && Date.now() - list.openedAt > FILLING_MS) {
    list.isInUse = true;
  }
  return list === undefined;
}

/** Make VS Code ask for an answer; a list that it has opened meanwhile makes room. */
async function showLate(question: Question): Promise<void> {
  if (question.list) {
    await commands.executeCommand('hideSuggestWidget');
  }
  question.stage = 'due';
  await commands.executeCommand('editor.action.inlineSuggest.trigger');
}

/** The items of an answer, in whatever form it is. */
export function itemsOf(answer: Answer): readonly InlineCompletionItem[] {
  return Array.isArray(answer) ? answer : (answer?.items ?? []);
}

function isWhereTheCursorIs({ document, version, position }: Question): boolean {
  const editor = window.activeTextEditor;
  return (
    editor?.document === document &&
    document.version === version &&
    editor.selection.isEmpty &&
    editor.selection.active.isEqual(position)
  );
}
