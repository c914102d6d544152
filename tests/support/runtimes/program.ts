/**
 * A program in a process of its own: the tests start it, wait for what it prints, and end it.
 *
 * @module
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";

/** What to run. */
export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  /** Where it runs. */
  readonly cwd: string;
  /** Its environment, beside what every program needs. */
  readonly env?: Readonly<Record<string, string>>;
}

/** How long a program may take to end by itself, in milliseconds. */
const END_MS = 10_000;

/** How long a program may take to say what is waited for, in milliseconds. */
const PATIENCE_MS = 60_000;

/** What programs get of this process's environment: no setting of a user's may reach them. */
const INHERITED = ["PATH", "HOME", "DENO_DIR", "CI"];

/** A running program. */
export class Program {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: string[] = [];
  readonly #waiting = new Set<(line: string) => void>();
  readonly #closed: Promise<unknown>;

  constructor({ command, args, cwd, env = {} }: Command) {
    const inherited = INHERITED.map((name) => [name, process.env[name] ?? ""]);
    this.#child = spawn(command, args, {
      cwd,
      env: { ...Object.fromEntries(inherited), NO_COLOR: "1", ...env },
    });
    this.#closed = once(this.#child, "close").catch((error) => this.#heard(String(error)));
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => this.#heard(line));
    }
  }

  /** All it has printed. */
  get output(): string {
    return this.#lines.join("\n");
  }

  /** The first line from now on that matches; throws with all it printed when it ends without. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    let listener = (_line: string): void => {};
    const said = new Promise<RegExpExecArray>((resolve) => {
      listener = (line) => {
        const match = pattern.exec(line);
        if (match !== null) resolve(match);
      };
      this.#waiting.add(listener);
    });
    const silence = Promise.withResolvers<string>();
    const timer = setTimeout(() => silence.resolve(`ran for ${PATIENCE_MS} ms`), PATIENCE_MS);
    try {
      const ended = this.#closed.then(() => "ended");
      const outcome = await Promise.race([said, ended, silence.promise]);
      if (typeof outcome !== "string") return outcome;
      throw new Error(`The program ${outcome} and did not say ${pattern}:\n${this.output}`);
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(listener);
    }
  }

  /** Writes a line to it, and waits for one that it answers with, which is not kept. */
  async ask(line: string, answer: RegExp): Promise<RegExpExecArray> {
    const answered = this.says(answer);
    this.#child.stdin.write(`${line}\n`);
    const match = await answered;
    this.#lines.splice(this.#lines.indexOf(match.input), 1);
    return match;
  }

  /** Waits until it ends by itself; throws when it failed. */
  async ended(): Promise<void> {
    await this.#closed;
    if (this.#child.exitCode === 0) return;
    throw new Error(`The program ended with ${this.#child.exitCode}:\n${this.output}`);
  }

  /** Asks it to end, and kills it when it does not. */
  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), END_MS);
    await this.#closed;
    clearTimeout(timer);
    if (this.#child.signalCode === "SIGKILL") {
      throw new Error(`The program did not end when it was asked to:\n${this.output}`);
    }
  }

  /** Kills it: it has no moment to finish anything. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#closed;
  }

  #heard(line: string): void {
    this.#lines.push(line);
    for (const listener of this.#waiting) listener(line);
  }
}

/** Runs a program to its end, and gives what it printed. */
export async function run(command: Command): Promise<string> {
  const program = new Program(command);
  await program.ended();
  return program.output;
}
