/** What the status bar says. Pure. */

/** Copilot's notification `didChangeStatus`, which the server sends. */
export interface ServerStatus {
  readonly busy: boolean;
  readonly kind: 'Normal' | 'Warning' | 'Error' | 'Inactive';
  readonly message: string;
}

/** The answer to the command `qwen-ls.usage`, as far as it is used. */
export interface Usage {
  /** Empty until the endpoint is known. */
  readonly model: string;
  readonly provider: string;
  readonly today: {
    readonly shown: number;
    readonly accepted: number;
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly cost: readonly { readonly currency: string; readonly amount: number }[];
  };
}

/** Where the server's process is in its life. */
export type Life = 'starting' | 'running' | 'stopped' | 'missing';

export interface Bar {
  readonly text: string;
  /** Markdown. */
  readonly tooltip: string;
  readonly severity?: 'error' | 'warning';
}

const LIVES: Readonly<Record<Exclude<Life, 'running'>, Bar>> = {
  starting: { text: '$(loading~spin) Qwen', tooltip: 'qwen-ls is starting.' },
  stopped: { text: '$(debug-disconnect) Qwen', tooltip: 'qwen-ls is not running.', severity: 'error' },
  missing: { text: '$(cloud-download) Qwen', tooltip: 'qwen-ls is not installed.', severity: 'warning' },
};

const ICONS: Readonly<Record<ServerStatus['kind'], string>> = {
  Normal: 'sparkle',
  Warning: 'warning',
  Error: 'error',
  Inactive: 'circle-slash',
};

const STATES: Readonly<Record<ServerStatus['kind'], string>> = {
  Normal: 'ready',
  Warning: 'paused',
  Error: 'stopped',
  Inactive: 'off',
};

/** The item's text and tooltip. */
export function barOf(life: Life, status: ServerStatus | undefined, usage: Usage | undefined, locale: string): Bar {
  if (life !== 'running') {
    return LIVES[life];
  }
  const kind = status?.kind ?? 'Normal';
  const icon = status?.busy ? 'loading~spin' : ICONS[kind];
  const cost = usage ? costOf(usage, locale) : '';
  const text = [`$(${icon})`, usage?.model || 'Qwen', kind === 'Inactive' ? 'off' : cost].filter(Boolean).join(' ');
  const tooltip = [`**Qwen LS**: ${status?.busy ? 'asking the model' : STATES[kind]}`];
  if (status?.message) {
    tooltip.push(escaped(status.message));
  }
  if (usage) {
    tooltip.push(...today(usage, cost, locale));
  }
  const bar = { text, tooltip: tooltip.join('\n\n') };
  if (kind === 'Error') {
    return { ...bar, severity: 'error' };
  }
  return kind === 'Warning' ? { ...bar, severity: 'warning' } : bar;
}

/** The menu's title: what the bar says, in one line. */
export function titleOf(bar: Bar): string {
  return bar.text.replace(/\$\([^)]*\)\s*/g, '');
}

function today({ model, provider, today }: Usage, cost: string, locale: string): string[] {
  const count = (value: number): string => value.toLocaleString(locale);
  const tokens = count(today.prompt_tokens + today.completion_tokens);
  const figures = [`${count(today.shown)} shown`, `${count(today.accepted)} accepted`, `${tokens} tokens`, cost];
  const lines = [`Today: ${figures.filter(Boolean).join(', ')}`];
  return model ? [`${escaped(model)} at ${escaped(provider)}`, ...lines] : lines;
}

/** Today's cost, in each currency; empty where no price is known. */
function costOf({ today }: Usage, locale: string): string {
  return today.cost
    .map(({ currency, amount }) =>
      new Intl.NumberFormat(locale, {
        style: 'currency',
        currency,
        currencyDisplay: 'narrowSymbol',
        maximumFractionDigits: amount > 0 && amount < 1 ? 4 : 2,
      }).format(amount),
    )
    .join(' + ');
}

function escaped(text: string): string {
  return text.replace(/[\\`*_{}[\]()#+\-.!|<>$~]/g, '\\$&');
}
