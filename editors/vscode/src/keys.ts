/** API keys in VS Code's SecretStorage: never in settings, handed to the server in its environment. */

import { window, type Disposable, type QuickPickItem, type SecretStorage } from 'vscode';
import providers from './providers.json';

/** The names of the variables of which a key is kept. */
const INDEX = 'variables';

export class Keys {
  constructor(private readonly secrets: SecretStorage) {}

  /** Tell when the keys have changed, in this window or another. */
  onDidChange(listener: () => unknown): Disposable {
    // The index is written last, each time.
    return this.secrets.onDidChange(({ key }) => key === INDEX && listener());
  }

  /** What is kept, by the variable that the server reads it from. */
  async environment(): Promise<Record<string, string>> {
    const entries: [string, string][] = [];
    for (const variable of await this.#variables()) {
      const key = await this.secrets.get(secretOf(variable));
      if (key) {
        entries.push([variable, key]);
      }
    }
    return Object.fromEntries(entries);
  }

  /**
   * Ask for a key and keep it.
   *
   * @param current the provider in force
   * @param own the variable that the user's settings name, if they do
   */
  async set(current: string, own?: string): Promise<void> {
    const variable = await pick('Whose key?', choices(current, own));
    if (!variable) {
      return;
    }
    const key = await window.showInputBox({
      title: `The key for ${variable.label}`,
      prompt: 'It is kept in the secret storage of VS Code.',
      password: true,
      ignoreFocusOut: true,
    });
    if (!key?.trim()) {
      return;
    }
    await this.secrets.store(secretOf(variable.variable), key.trim());
    await this.#remember([...(await this.#variables()), variable.variable]);
  }

  /** Let the user choose a key to forget. */
  async clear(): Promise<void> {
    const kept = (await this.#variables()).map(choiceOf);
    if (kept.length === 0) {
      void window.showInformationMessage('No key is kept here.');
      return;
    }
    const choice = kept.length === 1 ? kept[0] : await pick('Which key is to be forgotten?', kept);
    if (!choice) {
      return;
    }
    await this.secrets.delete(secretOf(choice.variable));
    await this.#remember((await this.#variables()).filter((variable) => variable !== choice.variable));
  }

  // The index is a secret too: SecretStorage cannot be listed in the VS Code versions that we support.
  async #variables(): Promise<string[]> {
    return JSON.parse((await this.secrets.get(INDEX)) ?? '[]') as string[];
  }

  async #remember(variables: readonly string[]): Promise<void> {
    await this.secrets.store(INDEX, JSON.stringify([...new Set(variables)].sort()));
  }
}

interface Choice extends QuickPickItem {
  readonly variable: string;
}

/** The providers that take a key, the current one first; before them the variable that the settings name. */
function choices(current: string, own?: string): Choice[] {
  const known = [...providers].sort((one, other) => Number(other.name === current) - Number(one.name === current));
  const rows = known.map(({ title, variable }) => ({ label: title, description: variable, variable }));
  return own ? [{ label: own, description: 'named by qwen-ls.apiKeyEnv', variable: own }, ...rows] : rows;
}

function choiceOf(variable: string): Choice {
  const provider = providers.find((row) => row.variable === variable);
  return { label: provider?.title ?? variable, description: variable, variable };
}

async function pick(placeHolder: string, rows: Choice[]): Promise<Choice | undefined> {
  return window.showQuickPick(rows, { placeHolder, ignoreFocusOut: true });
}

function secretOf(variable: string): string {
  return `key.${variable}`;
}
