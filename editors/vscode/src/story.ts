/** The story of the last completion, from the answer to the command `qwen-ls.explain`, as Markdown. Pure. */

/** Plain values; what is there depends on how far the request came. */
export interface Report {
  readonly outcome?: string;
  readonly source?: string;
  readonly reason?: string;
  readonly steps?: readonly string[];
  readonly timings_ms?: Readonly<Record<string, number>>;
  readonly counts?: Readonly<Record<string, number>>;
  readonly usage?: Readonly<Record<string, number>>;
  readonly [fact: string]: unknown;
}

const SOURCES: Readonly<Record<string, string>> = {
  network: 'the model was asked',
  cache: 'the same question had been asked before',
  'type-through': 'the rest of the suggestion that was shown',
  streak: 'the model had said it after the suggestion that was shown',
  'walk-back': 'a question from further left on the line had been answered with what was typed since',
  fuzzy: 'the same question, but for a small edit above, had been answered before',
};

/** What happened, as a person would tell it, and the figures below. */
export function storyOf(report: Report): string {
  const { outcome, source, reason, steps, timings_ms, counts, usage, ...facts } = report;
  const blocks = ['# The last completion', verdict(outcome, source, reason)];
  if (steps?.length) {
    blocks.push(`The answer was changed by: ${steps.join(', ')}.`);
  }
  const shown = Object.entries(facts).filter(([, value]) => typeof value !== 'object');
  blocks.push(table('The request', shown));
  blocks.push(table('Milliseconds since it came', Object.entries(timings_ms ?? {})));
  blocks.push(table('Tokens, as the endpoint counted them', Object.entries(usage ?? {})));
  blocks.push(table('Since the server was started', Object.entries(counts ?? {})));
  return `${blocks.filter(Boolean).join('\n\n')}\n`;
}

function verdict(outcome?: string, source?: string, reason?: string): string {
  if (outcome === 'shown') {
    return `It was shown: ${SOURCES[source ?? ''] ?? source}.`;
  }
  return outcome === 'nothing' ? `Nothing was shown: ${reason}.` : 'Nothing has been asked, or it has no answer yet.';
}

function table(title: string, rows: readonly (readonly [string, unknown])[]): string {
  const lines = rows.map(([name, value]) => `| ${name.replaceAll('_', ' ')} | ${String(value).replaceAll('|', '\\|')} |`);
  return lines.length ? [`| ${title} | |`, '|---|---|', ...lines].join('\n') : '';
}
