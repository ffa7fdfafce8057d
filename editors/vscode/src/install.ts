/** What is done where there is no `qwen-ls`: say so, and offer to install it. Nothing is fetched unasked. */

import { commands, ShellExecution, Task, tasks, TaskScope, window } from 'vscode';
import { findProgram, type Surroundings } from './find.js';

interface Way {
  readonly program: string;
  readonly args: readonly string[];
}

const WAYS: readonly Way[] = [
  { program: 'uv', args: ['tool', 'install', 'qwen-ls'] },
  { program: 'pipx', args: ['install', 'qwen-ls'] },
  { program: 'python3', args: ['-m', 'pip', 'install', '--user', 'qwen-ls'] },
];

const INSTALL = 'Install…';
const LOCATE = 'Set Its Command…';

/** Tell the user; returns whether it was installed. */
export async function offerToInstall(around: Surroundings): Promise<boolean> {
  const text = 'The language server qwen-ls was not found: Qwen LS needs it to suggest anything.';
  const answer = await window.showErrorMessage(text, INSTALL, LOCATE);
  if (answer === LOCATE) {
    await commands.executeCommand('workbench.action.openSettings', 'qwen-ls.server.command');
  }
  return answer === INSTALL && install(around);
}

/** Let the user choose how, and run it where it can be watched; returns whether it went well. */
async function install(around: Surroundings): Promise<boolean> {
  const rows = WAYS.flatMap(({ program, args }) => {
    const path = findProgram(program, around);
    return path ? [{ label: [program, ...args].join(' '), description: path, path, args }] : [];
  });
  if (rows.length === 0) {
    void window.showErrorMessage('Neither uv nor pipx nor Python was found. Install one of them first.');
    return false;
  }
  const way = await window.showQuickPick(rows, { placeHolder: 'How is qwen-ls to be installed?' });
  if (!way) {
    return false;
  }
  const run = new ShellExecution(way.path, [...way.args]);
  const task = new Task({ type: 'qwen-ls' }, TaskScope.Workspace, 'install qwen-ls', 'qwen-ls', run);
  return ended(task);
}

async function ended(task: Task): Promise<boolean> {
  const execution = await tasks.executeTask(task);
  return new Promise((resolve) => {
    const listener = tasks.onDidEndTaskProcess((event) => {
      if (event.execution === execution) {
        listener.dispose();
        resolve(event.exitCode === 0);
      }
    });
  });
}
