/** The settings as the server gets them. Pure. */

/** What `WorkspaceConfiguration.inspect` says of one setting. */
export interface Inspected {
  readonly globalValue?: unknown;
  readonly workspaceValue?: unknown;
  readonly workspaceFolderValue?: unknown;
}

/** Lists to which a workspace may add, and of which it may take nothing away. */
const JOINED: ReadonlySet<string> = new Set(['exclude']);

/**
 * The section `qwen-ls` with what the user has set, and nothing else.
 *
 * Defaults are left out: they are the server's, and the user's own file or environment may say otherwise.
 */
export function sectionOf(
  keys: readonly string[],
  inspect: (key: string) => Inspected | undefined,
): Record<string, unknown> {
  const section: Record<string, unknown> = {};
  for (const key of keys) {
    const { globalValue, workspaceValue, workspaceFolderValue } = inspect(key) ?? {};
    const values = [globalValue, workspaceValue, workspaceFolderValue].filter((value) => value !== undefined);
    if (values.length > 0) {
      section[key] = JOINED.has(key) ? values.flat() : values.at(-1);
    }
  }
  return section;
}
