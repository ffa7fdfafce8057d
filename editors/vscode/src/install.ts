/** What is done where there is no `qwen-ls`: say so, and offer to install it. Nothing is fetched unasked. */

import { spawn } from 'node:child_process';
import { homedir } from 'node:os';
import { createInterface } from 'node:readline';
import { commands, env, ProgressLocation, Uri, window, type CancellationToken, type LogOutputChannel } from 'vscode';
import { findProgram, type Surroundings } from './find.js';

interface Way {
  /** What a user would type. */
  readonly label: string;
  readonly program: string;
  readonly args: readonly string[];
}

/** The commands that put programs where they are looked for. */
const WAYS = [
  ['uv', 'tool', 'install', 'qwen-ls'],
  ['pipx', 'install', 'qwen-ls'],
] as const;
const GUIDE = 'https://docs.astral.sh/uv/getting-started/installation/';

const INSTALL = 'Install…';
const LOCATE = 'Set Its Command…';
const READ_GUIDE = 'How to Install uv';
const SHOW_LOG = 'Show Log';

/** Tell the user; returns whether it was installed. */
export async function offerToInstall(around: Surroundings, log: LogOutputChannel): Promise<boolean> {
  const text = 'The language server qwen-ls was not found: Qwen LS needs it to suggest anything.';
  const answer = await window.showErrorMessage(text, INSTALL, LOCATE);
  if (answer === LOCATE) {
    await commands.executeCommand('workbench.action.openSettings', 'qwen-ls.server.command');
  }
  return answer === INSTALL && install(around, log);
}

/** Let the user choose how, and do it; returns whether it went well. */
async function install(around: Surroundings, log: LogOutputChannel): Promise<boolean> {
  const ways = WAYS.flatMap(([name, ...args]): Way[] => {
    const program = findProgram(name, around);
    return program ? [{ label: [name, ...args].join(' '), program, args }] : [];
  });
  if (ways.length === 0) {
    void sayHow();
    return false;
  }
  const rows = ways.map((way) => ({ label: way.label, description: way.program, way }));
  const chosen = await window.showQuickPick(rows, { placeHolder: 'How is qwen-ls to be installed?' });
  return chosen !== undefined && carryOut(chosen.way, log);
}

async function sayHow(): Promise<void> {
  const text = 'Neither uv nor pipx was found. Install one of them; it then installs qwen-ls.';
  if (await window.showErrorMessage(text, READ_GUIDE)) {
    await env.openExternal(Uri.parse(GUIDE));
  }
}

async function carryOut(way: Way, log: LogOutputChannel): Promise<boolean> {
  const options = { location: ProgressLocation.Notification, title: way.label, cancellable: true };
  const failure = await window.withProgress(options, (progress, token) =>
    run(way, token, (line) => {
      log.info(line);
      progress.report({ message: line });
    }),
  );
  if (failure) {
    log.error(failure);
    void window.showErrorMessage(failure, SHOW_LOG).then((answer) => answer && log.show());
  }
  return failure === '';
}

/** Run it, not as a task: those want a folder that is open, and trusted. Returns what went wrong; empty if nothing. */
async function run(
  { label, program, args }: Way,
  token: CancellationToken,
  say: (line: string) => void,
): Promise<string> {
  // Not in the workspace's folder: uv would read its settings.
  const child = spawn(program, args, { cwd: homedir(), windowsHide: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const listener = token.onCancellationRequested(() => child.kill());
  for (const stream of [child.stdout, child.stderr]) {
    createInterface(stream).on('line', (line) => line.trim() && say(line));
  }
  return new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`${label} did not start: ${error.message}`));
    child.once('close', (code, signal) => resolve(code === 0 ? '' : `${label} failed: ${code ?? signal}`));
  }).finally(() => listener.dispose());
}
