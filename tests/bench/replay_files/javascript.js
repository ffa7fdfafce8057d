// A small scheduler for jobs that may depend on each other.

const DEFAULT_RETRIES = 2;
const BACKOFF_MS = 50;

class CycleError extends Error {
  constructor(path) {
    super(`jobs wait for each other: ${path.join(" -> ")}`);
    this.name = "CycleError";
    this.path = path;
  }
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

class Job {
  constructor(name, work, { after = [], retries = DEFAULT_RETRIES } = {}) {
    this.name = name;
    this.work = work;
    this.after = new Set(after);
    this.retries = retries;
    this.state = "waiting";
    this.result = undefined;
  }

  get isDone() {
    return this.state === "done" || this.state === "failed";
  }

  async run(inputs) {
    this.state = "running";
    for (let attempt = 0; attempt <= this.retries; attempt += 1) {
      try {
        this.result = await this.work(inputs, attempt);
        this.state = "done";
        return this.result;
      } catch (error) {
        if (attempt === this.retries) {
          this.state = "failed";
          throw error;
        }
        await sleep(BACKOFF_MS * 2 ** attempt);
      }
    }
    return undefined;
  }
}

class Scheduler {
  constructor({ concurrency = 4 } = {}) {
    this.concurrency = concurrency;
    this.jobs = new Map();
    this.listeners = [];
  }

  add(name, work, options) {
    if (this.jobs.has(name)) {
      throw new Error(`there is a job named ${name} already`);
    }
    const job = new Job(name, work, options);
    this.jobs.set(name, job);
    return job;
  }

  onChange(listener) {
    this.listeners.push(listener);
    return () => {
      this.listeners = this.listeners.filter((other) => other !== listener);
    };
  }

  order() {
    const sorted = [];
    const marks = new Map();
    const visit = (name, path) => {
      if (marks.get(name) === "done") {
        return;
      }
      if (marks.get(name) === "open") {
        throw new CycleError([...path, name]);
      }
      marks.set(name, "open");
      const job = this.jobs.get(name);
      if (job === undefined) {
        throw new Error(`${path.at(-1)} waits for ${name}, which is no job`);
      }
      for (const before of job.after) {
        visit(before, [...path, name]);
      }
      marks.set(name, "done");
      sorted.push(job);
    };
    for (const name of this.jobs.keys()) {
      visit(name, []);
    }
    return sorted;
  }

  async run() {
    const waiting = this.order();
    const running = new Map();
    while (waiting.length > 0 || running.size > 0) {
      const ready = waiting.filter((job) => this.isReady(job));
      for (const job of ready.slice(0, this.concurrency - running.size)) {
        waiting.splice(waiting.indexOf(job), 1);
        running.set(job.name, this.start(job).finally(() => running.delete(job.name)));
      }
      await Promise.race(running.values());
    }
    return new Map([...this.jobs].map(([name, job]) => [name, job.result]));
  }

  isReady(job) {
    return [...job.after].every((name) => this.jobs.get(name).state === "done");
  }

  async start(job) {
    const inputs = [...job.after].map((name) => this.jobs.get(name).result);
    try {
      await job.run(inputs);
    } finally {
      for (const listener of this.listeners) {
        listener(job.name, job.state);
      }
    }
  }
}

module.exports = { CycleError, Job, Scheduler };
