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

/** After how many milliseconds a cancelled request was given up by that rule: it counts from the key. */
const GIVEN_UP_MS = 600;

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
  /** Whether VS Code has given up waiting, and opens its list instead. */
  isGivenUp: boolean;
  /** The rows of the list that were selected since; more than one: the user is choosing. */
  readonly rows: Set<string>;
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
    const answer = await question.answer;
    if (question.stage === 'due') {
      question.stage = 'answered';
      return answer;
    }
    const isFirst = question.stage === 'waiting' && token === question.token;
    question.stage = isFirst ? 'answered' : question.stage;
    if (isFirst && isLate(question, token) && itemsOf(answer).length > 0) {
      // Not awaited: VS Code asks for it while this request is still open.
      void showLate(question);
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
    const isWanted = last?.stage === 'due' || (last?.stage === 'waiting' && !isByUser);
    if (!last || !isSame || !isWanted) {
      return undefined;
    }
    last.token = token;
    if (context.selectedCompletionInfo) {
      last.rows.add(context.selectedCompletionInfo.text);
    }
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
      isGivenUp: false,
      rows: new Set(),
      stage: 'waiting',
    };
    const askedAt = Date.now();
    token.onCancellationRequested(() => (question.isGivenUp = Date.now() - askedAt >= GIVEN_UP_MS));
    this.#question = question;
    return question;
  }

  #forget(): void {
    this.#question?.cancel.cancel();
    this.#question?.cancel.dispose();
    this.#question = undefined;
  }
}

/** Whether VS Code does not wait for the answer any more, or has opened its list over where it would be. */
function isLate(question: Question, token: CancellationToken): boolean {
  if (!isWhereTheCursorIs(question)) {
    return false;
  }
  // A list that the user has opened, or is choosing from, stays; the next key brings the answer.
  return question.rows.size > 0 ? question.isGivenUp && question.rows.size === 1 : token.isCancellationRequested;
}

/** Make VS Code ask for the answer. */
async function showLate(question: Question): Promise<void> {
  if (question.rows.size > 0) {
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
