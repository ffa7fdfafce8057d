/** Where `qwen-ls` is on this machine. Pure: what is there is asked of `Surroundings`. */

import { posix, win32 } from 'node:path';

export interface Surroundings {
  /** The setting `qwen-ls.server.command`; empty where it is not set. */
  readonly configured: readonly string[];
  /** Folders of Python environments that belong to the workspace; none of a workspace that is not trusted. */
  readonly environments: readonly string[];
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly isWindows: boolean;
  isExecutable(path: string): boolean;
}

export interface Found {
  readonly command: string;
  readonly args: readonly string[];
  /** In words, for the log and the status bar. */
  readonly source: string;
}

/** The first `qwen-ls` there is: set, of the workspace, installed by uv or pipx, on the PATH. */
export function findServer(around: Surroundings): Found | undefined {
  const [name, ...args] = around.configured;
  if (name) {
    const command = configured(name, around);
    return command ? { command, args, source: 'the setting qwen-ls.server.command' } : undefined;
  }
  for (const [source, folders] of placesOf(around)) {
    const found = firstIn(folders, 'qwen-ls', around);
    if (found) {
      return { command: found, args: [], source };
    }
  }
  return undefined;
}

/**
 * The folders that may be a Python environment's, from what the Python extension says of it: that folder itself or its
 * interpreter, which is in `bin` or `Scripts`, or, with conda on Windows, right in it. Or a mere name, which is none.
 */
export function foldersOf(environment: string, isWindows: boolean): string[] {
  const { dirname, isAbsolute } = isWindows ? win32 : posix;
  const parent = dirname(environment);
  return isAbsolute(environment) ? [environment, parent, dirname(parent)] : [];
}

/** A program on the PATH or where uv and pipx put theirs. */
export function findProgram(name: string, around: Surroundings): string | undefined {
  return firstIn([...pathFolders(around), ...toolFolders(around)], name, around);
}

function placesOf(around: Surroundings): [source: string, folders: string[]][] {
  const bin = around.isWindows ? 'Scripts' : 'bin';
  return [
    ["the workspace's environment", around.environments.map((folder) => pathOf(around).join(folder, bin))],
    ["uv's or pipx's tools", toolFolders(around)],
    ['the PATH', pathFolders(around)],
  ];
}

/** Where `uv tool install` and `pipx install` put commands; an editor's own PATH often lacks them. */
function toolFolders({ variables, home, isWindows }: Surroundings): string[] {
  const { UV_TOOL_BIN_DIR, PIPX_BIN_DIR, XDG_BIN_HOME } = variables;
  const usual = (isWindows ? win32 : posix).join(home, '.local', 'bin');
  return [UV_TOOL_BIN_DIR, PIPX_BIN_DIR, XDG_BIN_HOME, usual].filter((folder) => folder !== undefined);
}

function pathFolders(around: Surroundings): string[] {
  const value = around.variables['PATH'] ?? around.variables['Path'] ?? '';
  // A relative folder on the PATH would be one of the workspace's.
  return value.split(pathOf(around).delimiter).filter((folder) => pathOf(around).isAbsolute(folder));
}

function firstIn(folders: readonly string[], name: string, around: Surroundings): string | undefined {
  const file = around.isWindows ? `${name}.exe` : name;
  return folders.map((folder) => pathOf(around).join(folder, file)).find((path) => around.isExecutable(path));
}

/** A mere name is looked up here: Windows would look into the workspace first. */
function configured(name: string, around: Surroundings): string | undefined {
  if (!/[/\\]/.test(name)) {
    return findProgram(around.isWindows ? name.replace(/\.exe$/i, '') : name, around);
  }
  return name.startsWith('~') ? pathOf(around).join(around.home, name.slice(1)) : name;
}

function pathOf({ isWindows }: Surroundings): typeof posix {
  return isWindows ? win32 : posix;
}
