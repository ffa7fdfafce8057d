/** The status bar item, kept up to date. */

import { env, MarkdownString, StatusBarAlignment, ThemeColor, window, type Disposable } from 'vscode';
import type { Server } from './server.js';
import { barOf, titleOf, type Bar, type Usage } from './status.js';

/** Milliseconds between an answer and the question what the day has cost. */
const REFRESH_MS = 500;
/** While the server does not know its model, it is asked again, each time after twice as long, up to this. */
const SLOWEST_MS = 60_000;

export class StatusBar implements Disposable {
  readonly #item = window.createStatusBarItem('qwen-ls', StatusBarAlignment.Right, 100);
  readonly #listener: Disposable;
  #usage: Usage | undefined;
  #timer: NodeJS.Timeout | undefined;
  #delay = REFRESH_MS;

  constructor(private readonly server: Server) {
    this.#item.name = 'Qwen LS';
    this.#item.command = 'qwenLs.menu';
    this.#listener = server.onDidChange(() => {
      if (server.life !== 'running') {
        this.#usage = undefined;
      }
      this.#draw();
      this.refresh();
    });
    this.#draw();
    this.#item.show();
  }

  get bar(): Bar {
    return barOf(this.server.life, this.server.status, this.#usage, env.language);
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#listener.dispose();
    this.#item.dispose();
  }

  /** Ask for model and usage soon, once for all that happens until then. */
  refresh(): void {
    if (this.#delay > REFRESH_MS) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#delay = REFRESH_MS;
    }
    this.#askSoon();
  }

  #askSoon(): void {
    this.#timer ??= setTimeout(() => void this.#ask(), this.#delay);
  }

  async #ask(): Promise<void> {
    this.#timer = undefined;
    // A server that is older than the extension has no such command: the item then goes without.
    const usage = await this.server.run<Usage>('qwen-ls.usage').catch(() => undefined);
    this.#usage = this.server.life === 'running' ? usage : undefined;
    if (this.#usage?.model === '') {
      this.#delay = Math.min(2 * this.#delay, SLOWEST_MS);
      this.#askSoon();
    }
    this.#draw();
  }

  #draw(): void {
    const { text, tooltip, severity } = this.bar;
    this.#item.text = text;
    this.#item.tooltip = new MarkdownString(tooltip);
    this.#item.accessibilityInformation = { label: `Qwen LS: ${titleOf(this.bar)}`, role: 'button' };
    this.#item.backgroundColor = severity && new ThemeColor(`statusBarItem.${severity}Background`);
  }
}
