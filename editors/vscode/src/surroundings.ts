/** What `findServer` may look at: this machine, and the workspace as far as it is trusted. */

import { accessSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { extensions, workspace, type Extension, type Uri } from 'vscode';
import { foldersOf, type Surroundings } from './find.js';

const isWindows = process.platform === 'win32';

/** What is used of the Python extension's interface. */
interface PythonApi {
  readonly environments?: { getActiveEnvironmentPath(resource: Uri): { readonly path: string } };
}

export function surroundings(): Surroundings {
  return {
    configured: workspace.getConfiguration('qwen-ls').get<string[]>('server.command', []),
    environments: workspace.isTrusted ? environments() : [],
    variables: process.env,
    home: homedir(),
    isWindows,
    isExecutable,
  };
}

/** Start the Python extension, which may know of other environments; returns whether it was started just now. */
export async function pythonIsUp(): Promise<boolean> {
  const python = pythonExtension();
  if (!workspace.isTrusted || !python || python.isActive) {
    return false;
  }
  return Promise.resolve(python.activate()).then(
    () => true,
    () => false,
  );
}

/** The workspace's Python environments: the one chosen in the Python extension, then the usual folders. */
function environments(): string[] {
  // The path of a folder on no disk would be one of another folder, or of another machine.
  const folders = (workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === 'file');
  return folders.flatMap(({ uri }) => [
    ...foldersOf(chosen(uri), isWindows),
    ...['.venv', 'venv'].map((name) => join(uri.fsPath, name)),
  ]);
}

function chosen(folder: Uri): string {
  const python = pythonExtension();
  // It throws where what it exports is read before it is active.
  return (python?.isActive && python.exports?.environments?.getActiveEnvironmentPath(folder).path) || '';
}

function pythonExtension(): Extension<PythonApi | undefined> | undefined {
  return extensions.getExtension<PythonApi | undefined>('ms-python.python');
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
