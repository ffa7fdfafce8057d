import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beginsWithIndentation } from '../src/indentation.js';
import { sectionOf } from '../src/settings.js';
import { barOf, titleOf, type ServerStatus, type Usage } from '../src/status.js';

const READY: ServerStatus = { busy: false, kind: 'Normal', message: '' };
const TODAY = { shown: 1200, accepted: 3, prompt_tokens: 5000, completion_tokens: 12 };
const USAGE: Usage = {
  model: 'qwen-coder-turbo',
  provider: 'dashscope',
  today: { ...TODAY, cost: [{ currency: 'CNY', amount: 0.0123 }] },
};

test('only what is set reaches the server; a workspace adds to exclude and replaces the rest', () => {
  const values: Record<string, object> = {
    model: {},
    maxLines: { globalValue: 3, workspaceValue: 5 },
    enabled: { globalValue: false },
    exclude: { globalValue: ['*.key'], workspaceValue: ['out/**'] },
  };
  assert.deepEqual(
    sectionOf(Object.keys(values), (key) => values[key]),
    { maxLines: 5, enabled: false, exclude: ['*.key', 'out/**'] },
  );
});

const bars: [string, ServerStatus, Usage | undefined, string, string?][] = [
  ['ready', READY, USAGE, '$(sparkle) qwen-coder-turbo ¥0.0123'],
  ['busy', { ...READY, busy: true }, USAGE, '$(loading~spin) qwen-coder-turbo ¥0.0123'],
  ['no model yet', READY, undefined, '$(sparkle) Qwen'],
  ['no price', READY, { ...USAGE, today: { ...TODAY, cost: [] } }, '$(sparkle) qwen-coder-turbo'],
  ['off', { ...READY, kind: 'Inactive' }, USAGE, '$(circle-slash) qwen-coder-turbo off'],
  ['paused', { ...READY, kind: 'Warning', message: 'x' }, USAGE, '$(warning) qwen-coder-turbo ¥0.0123', 'warning'],
  ['stopped', { ...READY, kind: 'Error', message: 'x' }, USAGE, '$(error) qwen-coder-turbo ¥0.0123', 'error'],
];
for (const [name, status, usage, text, severity] of bars) {
  test(`the bar: ${name}`, () => {
    const bar = barOf('running', status, usage, 'en-US');
    assert.deepEqual([bar.text, bar.severity], [text, severity]);
  });
}

test("the bar's tooltip has the day's figures, and a message cannot be Markdown", () => {
  const { tooltip } = barOf('running', { ...READY, kind: 'Warning', message: 'see [this](http://x)' }, USAGE, 'en-US');
  assert.match(tooltip, /Today: 1,200 shown, 3 accepted, 5,012 tokens, ¥0\.0123/);
  assert.ok(tooltip.includes('\\[this\\]\\(http://x\\)'), tooltip);
});

for (const [life, severity] of [['starting', undefined], ['stopped', 'error'], ['missing', 'warning']] as const) {
  test(`the bar: ${life}`, () => assert.equal(barOf(life, READY, USAGE, 'en-US').severity, severity));
}

test("the menu's title has no icons", () => {
  assert.equal(titleOf(barOf('running', READY, USAGE, 'en-US')), 'qwen-coder-turbo ¥0.0123');
});

const indented: [before: string, ghost: string, expected: boolean][] = [
  ['', '    return', true],
  ['', '\treturn', true],
  ['', '  return', false],
  ['    ', 'return', false],
  ['    ', '    return', true],
  ['x', '    return', false],
  ['', '', false],
];
for (const [before, ghost, expected] of indented) {
  test(`indentation: ${JSON.stringify([before, ghost])}`, () => {
    assert.equal(beginsWithIndentation(before, ghost, 4), expected);
  });
}
