/** The status bar item's menu. */

import { commands, window } from 'vscode';
import { titleOf, type Bar } from './status.js';

const ENTRIES: readonly (readonly [icon: string, label: string, command: string])[] = [
  ['circle-slash', 'Switch Completions Off or On', 'toggle'],
  ['question', 'Explain the Last Completion', 'explain'],
  ['question', 'Explain the Last Completion, with Its Prompt', 'explainPrompt'],
  ['graph', 'Statistics', 'stats'],
  ['output', 'Log', 'log'],
  ['key', 'Set an API Key…', 'setKey'],
  ['trash', 'Clear an API Key…', 'clearKey'],
  ['clear-all', 'Forget Cached Answers', 'clearCache'],
  ['debug-restart', 'Restart the Server', 'restart'],
  ['gear', 'Settings', 'settings'],
];

/** Let the user choose, and do it. */
export async function showMenu(bar: Bar): Promise<void> {
  const rows = ENTRIES.map(([icon, label, command]) => ({ label: `$(${icon}) ${label}`, command }));
  const entry = await window.showQuickPick(rows, { title: `Qwen LS: ${titleOf(bar)}` });
  if (entry) {
    await commands.executeCommand(`qwenLs.${entry.command}`);
  }
}
