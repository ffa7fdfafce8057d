/** The server's process and its client: found, started, restarted, and what it tells of itself. */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { homedir } from 'node:os';
import { EventEmitter, window, workspace, type Disposable, type LogOutputChannel } from 'vscode';
import { CloseAction, LanguageClient, State, type ErrorHandler, type Middleware } from 'vscode-languageclient/node';
import { findServer, type Found } from './find.js';
import { Ghost } from './ghost.js';
import type { Keys } from './keys.js';
import { itemsOf, Patience } from './patience.js';
import { sectionOf } from './settings.js';
import type { Life, ServerStatus } from './status.js';
import { pythonIsUp, surroundings } from './surroundings.js';

export const SECTION = 'qwen-ls';
const SELECTOR = ['file', 'untitled', 'vscode-notebook-cell'].map((scheme) => ({ scheme }));
const TOGGLE = 'qwen-ls.toggle';
const DISMISSED = 'qwen-ls.dismissed';
/** So long, in milliseconds, a server may take to answer `shutdown`, and then to end. */
const ENDING_MS = 1500;

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
  readonly #ghost = new Ghost();
  #client: LanguageClient | undefined;
  #work: Promise<unknown> = Promise.resolve();
  /** Whether the user has switched completions off in this window. */
  #isOff = false;

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
    this.#abandon();
    await this.#inTurn(async () => {
      await this.#stop();
      this.#become('starting');
      this.found = findServer(surroundings()) ?? ((await pythonIsUp()) ? findServer(surroundings()) : undefined);
      if (!this.found) {
        this.#become('missing');
        return;
      }
      const { command, args, source } = this.found;
      this.log.info(`starting ${[command, ...args].join(' ')} (${source})`);
      const client = this.#makeClient(command, args, await this.#keptKeys());
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
    this.#abandon();
    await this.#inTurn(() => this.#stop());
  }

  /** Switch completions off, or on again, until the window is closed: also those of a server that is started later. */
  async toggle(): Promise<void> {
    this.#isOff = (await this.run<boolean>(TOGGLE)) === false;
  }

  /** Tell the server that the user has dismissed what was shown, if that was ours. */
  async dismiss(): Promise<void> {
    const command = this.#ghost.at(window.activeTextEditor)?.command;
    this.#ghost.note();
    if (command) {
      await this.run(DISMISSED, ...(command.arguments ?? []));
    }
  }

  /** Run one of the server's commands; undefined where it is not running. */
  async run<T>(command: string, ...args: readonly unknown[]): Promise<T | undefined> {
    if (!this.#client?.isRunning()) {
      return undefined;
    }
    return this.#client.sendRequest<T>('workspace/executeCommand', { command, arguments: args });
  }

  #makeClient(command: string, args: readonly string[], keys: Record<string, string>): LanguageClient {
    // Not in the workspace's folder: Python would import modules from there.
    const options = { cwd: homedir(), env: { ...process.env, ...keys } };
    const run = { command, args: [...args, '--stdio'], options };
    const client: LanguageClient = new LanguageClient(SECTION, 'Qwen LS', run, {
      documentSelector: SELECTOR,
      outputChannel: this.log,
      middleware: this.#middleware(),
      initializationFailedHandler: () => false,
      errorHandler: {
        // It is followed by `closed`.
        error: async (...error) => ({ ...(await usual.error(...error)), handled: true }),
        // One that ends before it has answered would do so again.
        closed: () =>
          client === this.#client && client.state === State.Running
            ? usual.closed()
            : { action: CloseAction.DoNotRestart, handled: true },
      },
    });
    const usual: ErrorHandler = client.createDefaultErrorHandler();
    client.onNotification('didChangeStatus', (status: ServerStatus) => {
      this.status = status;
      this.#changed.fire();
    });
    client.onDidChangeState(({ newState }) => {
      if (client === this.#client) {
        this.#enter(newState);
      }
    });
    return client;
  }

  #enter(state: State): void {
    if (state !== State.Running) {
      this.status = undefined;
    } else if (this.#isOff) {
      this.run(TOGGLE).catch((error: unknown) => this.log.error(`completions are on again: ${String(error)}`));
    }
    this.#become(lifeOf(state));
  }

  async #keptKeys(): Promise<Record<string, string>> {
    try {
      return await this.keys.environment();
    } catch (error) {
      this.log.error(`the keys that are kept here cannot be read: ${String(error)}`);
      return {};
    }
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
          this.#ghost.note(document, itemsOf(answer));
        }
        return answer;
      },
    };
  }

  async #stop(): Promise<void> {
    const client = this.#client;
    const server = client?.serverProcess;
    this.#client = undefined;
    this.status = undefined;
    try {
      await client?.dispose(ENDING_MS);
      await ended(server);
    } catch (error) {
      this.log.warn(`the server was not stopped, and is killed: ${String(error)}`);
      // The client would do so too, but later, when the window may be gone.
      server?.kill('SIGKILL');
    }
  }

  /** Do not wait any longer for a server that has not answered `initialize`. */
  #abandon(): void {
    const client = this.#client;
    if (client?.state === State.Starting) {
      this.#client = undefined;
      client.serverProcess?.kill('SIGKILL');
    }
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

async function ended(server: ChildProcess | undefined): Promise<void> {
  if (server?.exitCode === null && server.signalCode === null) {
    await once(server, 'exit', { signal: AbortSignal.timeout(ENDING_MS) });
  }
}

function lifeOf(state: State): Life {
  return state === State.Running ? 'running' : state === State.Starting ? 'starting' : 'stopped';
}
