/**
 * Counts the commands that Upstash would bill: each command, each command of a pipeline or transaction, and
 * each call inside a script.
 *
 * @module
 */

/** The billed commands since the proxy was made, or since the last {@linkcode Billed.reset}. */
export interface Billed {
  /** All billed commands. */
  readonly total: number;
  /** How many of them scripts called. */
  readonly inScripts: number;
  /** The same by the name of the command in upper case, such as `{ EVAL: 1, HSET: 3 }`. */
  readonly byCommand: Readonly<Record<string, number>>;
  /** HTTP requests that reached Redis; they are not billed. */
  readonly requests: number;
  /** Sets all counts to zero. */
  reset(): void;
}

/** The commands that Upstash's price page lists as free. */
const FREE = new Set(["AUTH", "INFO", "PING", "QUIT", "COMMAND"]);

/** The proxy's own count. */
export class Counter implements Billed {
  #byCommand = new Map<string, number>();
  #inScripts = 0;
  #requests = 0;

  /** See {@linkcode Billed.total}. */
  get total(): number {
    return [...this.#byCommand.values()].reduce((sum, count) => sum + count, 0);
  }

  /** See {@linkcode Billed.inScripts}. */
  get inScripts(): number {
    return this.#inScripts;
  }

  /** See {@linkcode Billed.requests}. */
  get requests(): number {
    return this.#requests;
  }

  /** See {@linkcode Billed.byCommand}. */
  get byCommand(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#byCommand);
  }

  /** See {@linkcode Billed.reset}. */
  reset(): void {
    this.#byCommand.clear();
    this.#inScripts = 0;
    this.#requests = 0;
  }

  /** Counts a request that is passed on. */
  countRequest(): void {
    this.#requests += 1;
  }

  /** Counts a command that is passed on, whatever its result. */
  countCommand(name: string): void {
    this.#add(name, 1);
  }

  /** Counts the calls of a script, by name. */
  countCalls(calls: ReadonlyMap<string, number>): void {
    for (const [name, count] of calls) this.#inScripts += this.#add(name, count);
  }

  #add(name: string, count: number): number {
    if (FREE.has(name)) return 0;
    this.#byCommand.set(name, (this.#byCommand.get(name) ?? 0) + count);
    return count;
  }
}

/**
 * The calls between two readings of `INFO commandstats`, by name in upper case. They include the first
 * reading itself, as `INFO`, and the script, by its own name.
 */
export function callsBetween(before: string, after: string): Map<string, number> {
  const earlier = callsOf(before);
  const calls = new Map<string, number>();
  for (const [name, count] of callsOf(after)) {
    const more = count - (earlier.get(name) ?? 0);
    if (more > 0) calls.set(name, more);
  }
  return calls;
}

/** Lines such as `cmdstat_xgroup|create:calls=3,usec=…`; subcommands are summed under their command. */
function callsOf(info: string): Map<string, number> {
  const calls = new Map<string, number>();
  for (const [, name, count] of info.matchAll(/^cmdstat_([^:|]+)(?:\|[^:]*)?:calls=(\d+)/gm)) {
    const key = name!.toUpperCase();
    calls.set(key, (calls.get(key) ?? 0) + Number(count));
  }
  return calls;
}
