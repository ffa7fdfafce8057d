/** Qwen LS for VS Code: puts its parts together. */

import { commands, window, workspace, type ExtensionContext } from 'vscode';
import { offerToInstall } from './install.js';
import { Keys } from './keys.js';
import { showMenu } from './menu.js';
import { Pages } from './pages.js';
import { SECTION, Server, surroundings } from './server.js';
import { StatusBar } from './statusbar.js';

const MARKDOWN = { as: 'markdown' };

let server: Server | undefined;

export async function activate(context: ExtensionContext): Promise<void> {
  const keys = new Keys(context.secrets);
  const running = new Server(keys, settingsOf(context));
  const bar = new StatusBar(running);
  const pages = new Pages();
  server = running;
  const start = async (): Promise<void> => {
    await running.start();
    if (running.life === 'missing') {
      // Not awaited: the user may leave the question open.
      void offerToInstall(surroundings()).then((installed) => (installed ? start() : undefined));
    }
  };
  const actions: Record<string, () => unknown> = {
    menu: () => showMenu(bar.bar),
    toggle: () => running.run('qwen-ls.toggle'),
    explain: async () => pages.explain(await running.run('qwen-ls.explain', MARKDOWN)),
    explainPrompt: async () => pages.explain(await running.run('qwen-ls.explain', { ...MARKDOWN, prompt: true })),
    stats: async () => pages.stats(running.found),
    log: () => running.log.show(),
    setKey: async () => (await keys.set(...providerInForce())) && start(),
    clearKey: async () => (await keys.clear()) && start(),
    clearCache: () => running.run('qwen-ls.clearCache'),
    restart: start,
    settings: () => commands.executeCommand('workbench.action.openSettings', `@ext:${context.extension.id}`),
  };
  context.subscriptions.push(
    running,
    bar,
    pages,
    // Other names than the server's own commands, which the client registers by itself.
    ...Object.entries(actions).map(([name, action]) => commands.registerCommand(`qwenLs.${name}`, action)),
    workspace.onDidGrantWorkspaceTrust(() => running.life === 'missing' && start()),
    workspace.onDidChangeConfiguration((event) => event.affectsConfiguration(`${SECTION}.server`) && start()),
    window.onDidChangeWindowState(({ focused }) => focused && bar.refresh()),
  );
  await start();
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
