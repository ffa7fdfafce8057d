/** What is shown in an editor of its own: the story of the last completion, and the statistics. */

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  commands,
  EventEmitter,
  Uri,
  ViewColumn,
  window,
  workspace,
  type Disposable,
  type WebviewPanel,
} from 'vscode';
import type { Found } from './find.js';

const SCHEME = 'qwen-ls';
const STORY = Uri.from({ scheme: SCHEME, path: '/Last completion.md' });
const STATS_MS = 30_000;

export class Pages implements Disposable {
  readonly #changed = new EventEmitter<Uri>();
  readonly #provider = workspace.registerTextDocumentContentProvider(SCHEME, {
    onDidChange: this.#changed.event,
    provideTextDocumentContent: () => this.#story,
  });
  #story = '';
  #panel: WebviewPanel | undefined;

  dispose(): void {
    this.#changed.dispose();
    this.#provider.dispose();
    this.#panel?.dispose();
  }

  /** Show why the last request showed what it showed: the document that the server has made of it. */
  async explain(story: string | undefined): Promise<void> {
    if (!story) {
      void window.showInformationMessage('qwen-ls is not running.');
      return;
    }
    this.#story = story;
    this.#changed.fire(STORY);
    await commands.executeCommand('markdown.showPreview', STORY);
  }

  /** Show what was asked, shown, accepted, dismissed and spent: the page that `qwen-ls stats` makes. */
  async stats(found: Found | undefined): Promise<void> {
    if (!found) {
      void window.showInformationMessage('qwen-ls is not installed.');
      return;
    }
    try {
      const page = await statsPage(found);
      this.#panel ??= this.#makePanel();
      this.#panel.webview.html = page;
      this.#panel.reveal();
    } catch (error) {
      void window.showErrorMessage(`The statistics cannot be shown: ${error instanceof Error ? error.message : ''}`);
    }
  }

  #makePanel(): WebviewPanel {
    const panel = window.createWebviewPanel('qwen-ls.stats', 'Qwen LS: Statistics', ViewColumn.Active, {});
    panel.onDidDispose(() => (this.#panel = undefined));
    return panel;
  }
}

async function statsPage({ command, args }: Found): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'qwen-ls-'));
  try {
    const file = join(folder, 'stats.html');
    const options = { cwd: folder, timeout: STATS_MS, windowsHide: true };
    await promisify(execFile)(command, [...args, 'stats', '--html', file], options);
    return await readFile(file, 'utf8');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
