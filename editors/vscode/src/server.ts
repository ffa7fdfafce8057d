/** The server's process and its client: found, started, restarted, and what it tells of itself. */

import { accessSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  commands,
  EventEmitter,
  extensions,
  window,
  workspace,
  type Disposable,
  type LogOutputChannel,
} from 'vscode';
import { LanguageClient, State, type Middleware } from 'vscode-languageclient/node';
import { findServer, type Found, type Surroundings } from './find.js';
import { beginsWithIndentation } from './indentation.js';
import type { Keys } from './keys.js';
import { itemsOf, Patience } from './patience.js';
import { sectionOf } from './settings.js';
import type { Life, ServerStatus } from './status.js';

export const SECTION = 'qwen-ls';
const SELECTOR = ['file', 'untitled', 'vscode-notebook-cell'].map((scheme) => ({ scheme }));
const INDENTED = 'qwen-ls.suggestsIndentation';

export class Server implements Disposable {
  readonly log: LogOutputChannel = window.createOutputChannel('Qwen LS', { log: true });
  life: Life = 'starting';
  status: ServerStatus | undefined;
  /** What is running, or was the last time. */
  found: Found | undefined;

  readonly #changed = new EventEmitter<void>();
  /** `life` or `status` has changed. */
  readonly onDidChange = this.#changed.event;
  readonly #patience = new Patience();
  #client: LanguageClient | undefined;
  #work: Promise<unknown> = Promise.resolve();
  #isIndented = false;

  /**
   * @param keys the keys for the server's environment
   * @param settings the names of the server's settings
   */
  constructor(
    private readonly keys: Keys,
    private readonly settings: readonly string[],
  ) {}

  dispose(): void {
    this.#patience.dispose();
    this.#changed.dispose();
    this.log.dispose();
  }

  /** Find the server and start it; the one that runs is stopped first. One at a time. */
  async start(): Promise<void> {
    await this.#inTurn(async () => {
      await this.#stop();
      this.#become('starting');
      this.found = findServer(surroundings());
      if (!this.found) {
        this.#become('missing');
        return;
      }
      const { command, args, source } = this.found;
      this.log.info(`starting ${[command, ...args].join(' ')} (${source})`);
      const client = this.#makeClient(command, args, await this.keys.environment());
      this.#client = client;
      try {
        await client.start();
      } catch (error) {
        // The client has told the user.
        this.log.error(`the server did not start: ${String(error)}`);
        this.#become('stopped');
      }
    });
  }

  async stop(): Promise<void> {
    await this.#inTurn(() => this.#stop());
  }

  /** Run one of the server's commands; undefined where it is not running. */
  async run<T>(command: string, ...args: readonly object[]): Promise<T | undefined> {
    if (!this.#client?.isRunning()) {
      return undefined;
    }
    return this.#client.sendRequest<T>('workspace/executeCommand', { command, arguments: args });
  }

  #makeClient(command: string, args: readonly string[], keys: Record<string, string>): LanguageClient {
    // Not in the workspace's folder: Python would import modules from there.
    const options = { cwd: homedir(), env: { ...process.env, ...keys } };
    const run = { command, args: [...args, '--stdio'], options };
    const client = new LanguageClient(SECTION, 'Qwen LS', run, {
      documentSelector: SELECTOR,
      outputChannel: this.log,
      middleware: this.#middleware(),
    });
    client.onNotification('didChangeStatus', (status: ServerStatus) => {
      this.status = status;
      this.#changed.fire();
    });
    client.onDidChangeState(({ newState }) => {
      if (client === this.#client) {
        this.#become(lifeOf(newState));
      }
    });
    return client;
  }

  #middleware(): Middleware {
    return {
      workspace: {
        configuration: ({ items }) =>
          items.map(({ section }) => {
            const values = workspace.getConfiguration(SECTION);
            return section === SECTION ? sectionOf(this.settings, (key) => values.inspect(key)) : null;
          }),
      },
      provideInlineCompletionItems: async (document, position, context, token, next) => {
        const answer = await this.#patience.provide(document, position, context, token, next);
        if (!token.isCancellationRequested) {
          const [item] = itemsOf(answer);
          const before = document.lineAt(position).text.slice(0, position.character);
          const text = typeof item?.insertText === 'string' ? item.insertText : '';
          const ghost = text.slice(position.character - (item?.range?.start ?? position).character);
          this.#suggestsIndentation(beginsWithIndentation(before, ghost, tabSize()));
        }
        return answer;
      },
    };
  }

  /** Tell the key binding of Tab. */
  #suggestsIndentation(isIndented: boolean): void {
    if (isIndented !== this.#isIndented) {
      this.#isIndented = isIndented;
      void commands.executeCommand('setContext', INDENTED, isIndented);
    }
  }

  async #stop(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    this.status = undefined;
    await client?.dispose().catch((error: unknown) => this.log.warn(`stopping: ${String(error)}`));
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#work.then(work, work);
    this.#work = turn;
    await turn;
  }

  #become(life: Life): void {
    this.life = life;
    this.#changed.fire();
  }
}

/** What `findServer` may look at. */
export function surroundings(): Surroundings {
  return {
    configured: workspace.getConfiguration(SECTION).get<string[]>('server.command', []),
    environments: workspace.isTrusted ? environments() : [],
    variables: process.env,
    home: homedir(),
    isWindows: process.platform === 'win32',
    isExecutable,
  };
}

/** The workspace's Python environments: the one chosen in the Python extension, then the usual folders. */
function environments(): string[] {
  return (workspace.workspaceFolders ?? []).flatMap(({ uri }) => {
    const chosen = extensions.getExtension<PythonApi>('ms-python.python')?.exports?.environments;
    const interpreter = chosen?.getActiveEnvironmentPath(uri).path;
    const folders = ['.venv', 'venv'].map((name) => join(uri.fsPath, name));
    return interpreter ? [dirname(dirname(interpreter)), ...folders] : folders;
  });
}

/** What is used of the Python extension's interface. */
interface PythonApi {
  readonly environments?: { getActiveEnvironmentPath(resource: unknown): { readonly path: string } };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function lifeOf(state: State): Life {
  return state === State.Running ? 'running' : state === State.Starting ? 'starting' : 'stopped';
}

function tabSize(): number {
  const size = window.activeTextEditor?.options.tabSize;
  return typeof size === 'number' ? size : 4;
}
