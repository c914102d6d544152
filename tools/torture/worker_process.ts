/**
 * A process under torture: the run starts, kills and stops it with this.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import process from "node:process";
import { CONFIG_VARIABLE, PAUSE, type WorkerConfig, type WorkerLine } from "./worker_config.ts";

/** How long a process may take to stop, in milliseconds. */
const STOP_MS = 30_000;
/** How much of a process's error output is kept, in characters. */
const MAX_TEXT = 4_000;

/** How a process ended. */
export type Ending = "killed" | "stopped" | "refused" | "uncaught error" | "did not stop";

/** One process. */
export class WorkerProcess {
  readonly config: WorkerConfig;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #wanted: "running" | "killed" | "stopped" = "running";
  #text = "";
  /** Its port; null until it serves. */
  port: number | null = null;
  /** Why it refused to run; null if it did not. */
  refusal: string | null = null;
  /** How long its pool had not answered at its last report, in milliseconds. */
  silentMs = 0;
  /** The longest time without an answer. */
  longestSilenceMs = 0;
  /** How many messages it has published. */
  published = 0;
  /** How it ended; null while it runs. */
  ending: Ending | null = null;

  constructor(config: WorkerConfig) {
    this.config = config;
    this.#child = spawn(
      process.execPath,
      ["run", "--quiet", "--allow-all", new URL("worker.ts", import.meta.url).pathname],
      { env: { ...process.env, [CONFIG_VARIABLE]: JSON.stringify(config) } },
    );
    this.#exited = once(this.#child, "exit").then(() => this.#ended());
    createInterface({ input: this.#child.stdout! }).on("line", (line) => this.#said(line));
    this.#child.stdin!.on("error", () => {});
    this.#child.stderr!.on("data", (chunk) => {
      this.#text = (this.#text + String(chunk)).slice(-MAX_TEXT);
    });
  }

  /** What it wrote to standard error. */
  get text(): string {
    return this.#text;
  }

  /** Kills it at once. */
  async kill(): Promise<void> {
    this.#wanted = "killed";
    this.#child.kill("SIGKILL");
    await this.#exited;
  }

  /** Makes it stop publishing; it continues handling. */
  pausePublishing(): void {
    if (this.ending === null) this.#child.stdin!.write(`${PAUSE}\n`, () => {});
  }

  /** Asks it to stop, and kills it if it does not. */
  async stop(): Promise<void> {
    if (this.ending !== null) return;
    this.#wanted = "stopped";
    this.#child.stdin!.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  #said(line: string): void {
    if (!line.startsWith("{")) return;
    const said = JSON.parse(line) as WorkerLine;
    if (said.kind === "ready") this.port = said.port;
    else if (said.kind === "refused") this.refusal = said.reason;
    else {
      this.silentMs = said.silentMs;
      this.longestSilenceMs = Math.max(this.longestSilenceMs, said.silentMs);
      this.published = said.published;
    }
  }

  #ended(): void {
    const { exitCode, signalCode } = this.#child;
    this.port = null;
    if (this.#wanted === "killed") this.ending = "killed";
    else if (this.refusal !== null) this.ending = "refused";
    else if (this.#wanted === "stopped" && signalCode === "SIGKILL") this.ending = "did not stop";
    else this.ending = this.#wanted === "stopped" && exitCode === 0 ? "stopped" : "uncaught error";
  }
}
