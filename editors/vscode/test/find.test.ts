import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findProgram, findServer, foldersOf, type Surroundings } from '../src/find.js';

const LINUX: Surroundings = {
  configured: [],
  environments: ['/project/.venv'],
  variables: { PATH: '/usr/bin:bin:/opt/bin' },
  home: '/home/me',
  isWindows: false,
  isExecutable: () => false,
};
const EVERYWHERE = ['/project/.venv/bin/qwen-ls', '/home/me/.local/bin/qwen-ls', '/opt/bin/qwen-ls'];

function there(...paths: string[]): Surroundings['isExecutable'] {
  return (path) => paths.includes(path);
}

test('the setting wins, with its arguments and the home folder', () => {
  const around = { ...LINUX, configured: ['~/bin/qwen-ls', '--debug'], isExecutable: there(...EVERYWHERE) };
  const found = findServer(around);
  assert.deepEqual([found?.command, found?.args], ['/home/me/bin/qwen-ls', ['--debug']]);
});

for (const [first, path] of EVERYWHERE.entries()) {
  test(`then comes ${path}`, () => {
    const found = findServer({ ...LINUX, isExecutable: there(...EVERYWHERE.slice(first)) });
    assert.equal(found?.command, path);
  });
}

test('a name without a folder is looked up, and never in the workspace', () => {
  const around = { ...LINUX, configured: ['uvx', 'qwen-ls'] };
  assert.equal(findServer({ ...around, isExecutable: there('/opt/bin/uvx') })?.command, '/opt/bin/uvx');
  assert.equal(findServer({ ...around, isExecutable: there('uvx', ...EVERYWHERE) }), undefined);
});

test('a workspace that is not trusted has no environments', () => {
  const found = findServer({ ...LINUX, environments: [], isExecutable: there(...EVERYWHERE) });
  assert.equal(found?.command, '/home/me/.local/bin/qwen-ls');
});

test('a relative folder on the PATH is not searched', () => {
  assert.equal(findServer({ ...LINUX, isExecutable: there('bin/qwen-ls') }), undefined);
});

test('the folders that uv and pipx are told to use', () => {
  for (const name of ['UV_TOOL_BIN_DIR', 'PIPX_BIN_DIR', 'XDG_BIN_HOME']) {
    const around = { ...LINUX, variables: { [name]: '/tools' }, isExecutable: there('/tools/qwen-ls', '/tools/uv') };
    assert.equal(findServer(around)?.command, '/tools/qwen-ls');
    assert.equal(findProgram('uv', around), '/tools/uv');
  }
});

test('Windows', () => {
  const around = {
    ...LINUX,
    isWindows: true,
    environments: ['C:\\work\\.venv'],
    variables: { Path: 'C:\\Windows;D:\\bin' },
    home: 'C:\\Users\\me',
  };
  for (const path of ['C:\\work\\.venv\\Scripts', 'C:\\Users\\me\\.local\\bin', 'D:\\bin']) {
    assert.equal(findServer({ ...around, isExecutable: there(`${path}\\qwen-ls.exe`) })?.command, `${path}\\qwen-ls.exe`);
  }
});

test("the Python extension names a folder, an interpreter, or, where nothing is chosen, a mere name", () => {
  assert.ok(foldersOf('/envs/a', false).includes('/envs/a'));
  assert.ok(foldersOf('/envs/a/bin/python', false).includes('/envs/a'));
  assert.ok(foldersOf('C:\\envs\\a\\Scripts\\python.exe', true).includes('C:\\envs\\a'));
  assert.ok(foldersOf('C:\\conda\\envs\\a\\python.exe', true).includes('C:\\conda\\envs\\a'));
  assert.deepEqual(foldersOf('python', false), []);
  assert.deepEqual(foldersOf('', false), []);
});
