/** Qwen LS for VS Code: puts its parts together. */

import { commands, window, workspace, type ExtensionContext } from 'vscode';
import { offerToInstall } from './install.js';
import { Keys } from './keys.js';
import { showMenu } from './menu.js';
import { Pages } from './pages.js';
import { SECTION, Server } from './server.js';
import { StatusBar } from './statusbar.js';
import { surroundings } from './surroundings.js';

const MARKDOWN = { as: 'markdown' };

let server: Server | undefined;

export function activate(context: ExtensionContext): void {
  const keys = new Keys(context.secrets);
  const running = new Server(keys, settingsOf(context));
  const bar = new StatusBar(running);
  const pages = new Pages();
  server = running;
  const start = async (): Promise<void> => {
    await running.start();
    if (running.life === 'missing') {
      // Not awaited: the user may leave the question open.
      void offerToInstall(surroundings(), running.log).then((installed) => (installed ? start() : undefined));
    }
  };
  const whileRunning = (action: () => unknown) => (): unknown =>
    running.life === 'running' ? action() : window.showInformationMessage('qwen-ls is not running.');
  const actions: Record<string, () => unknown> = {
    menu: () => (running.life === 'missing' ? start() : showMenu(bar.bar)),
    // Part of the key binding of Esc, after VS Code's own command.
    dismissed: () => running.dismiss(),
    toggle: whileRunning(() => running.toggle()),
    explain: async () => pages.explain(await running.run('qwen-ls.explain', MARKDOWN)),
    explainPrompt: async () => pages.explain(await running.run('qwen-ls.explain', { ...MARKDOWN, prompt: true })),
    stats: async () => pages.stats(running.found),
    log: () => running.log.show(),
    setKey: () => keys.set(...providerInForce()),
    clearKey: () => keys.clear(),
    clearCache: whileRunning(() => running.run('qwen-ls.clearCache')),
    restart: start,
    settings: () => commands.executeCommand('workbench.action.openSettings', `@ext:${context.extension.id}`),
  };
  context.subscriptions.push(
    running,
    bar,
    pages,
    // Other names than the server's own commands, which the client registers by itself.
    ...Object.entries(actions).map(([name, action]) => commands.registerCommand(`qwenLs.${name}`, action)),
    keys.onDidChange(start),
    workspace.onDidGrantWorkspaceTrust(() => running.life === 'missing' && start()),
    workspace.onDidChangeConfiguration((event) => event.affectsConfiguration(`${SECTION}.server`) && start()),
    window.onDidChangeWindowState(({ focused }) => focused && bar.refresh()),
  );
  // Not awaited: the commands must work also while a server does not answer.
  void start();
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}

/** The names of the server's settings: those that the package has under `Completions`. */
function settingsOf(context: ExtensionContext): string[] {
  const { contributes } = context.extension.packageJSON as {
    contributes: { configuration: { title: string; properties: object }[] };
  };
  const group = contributes.configuration.find(({ title }) => title === 'Completions');
  return Object.keys(group?.properties ?? {}).map((name) => name.slice(SECTION.length + 1));
}

function providerInForce(): [provider: string, variable: string | undefined] {
  const values = workspace.getConfiguration(SECTION);
  return [values.get<string>('provider', 'dashscope'), values.get<string>('apiKeyEnv') || undefined];
}
