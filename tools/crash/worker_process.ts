/**
 * A process of the crash run: the run starts, stops, continues and kills it with this.
 *
 * A process loads its code first and then waits as a spare until it is given a service, so that a killed one is
 * replaced at once.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { signalProcess } from "../processes.ts";
import type {
  OrderLine,
  Standing,
  StoreConfig,
  WorkerConfig,
  WorkerCounts,
  WorkerLine,
} from "./protocol.ts";

/** How long a process may take to stop, in milliseconds. */
const STOP_MS = 30_000;
/** How much of a process's error output is kept, in characters. */
const MAX_TEXT = 4_000;

/** How a process ended. */
export type Ending = "killed" | "stopped" | "refused" | "uncaught error" | "did not stop";

/** One process. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  /** Resolves when it has ended. */
  readonly exited: Promise<void>;
  #wanted: "running" | "killed" | "stopped" = "running";
  #text = "";
  #heardAt = performance.now();
  #longestSilenceMs = 0;
  /** Its configuration; null while it is a spare. */
  config: WorkerConfig | null = null;
  /** Its port; null until it serves. */
  port: number | null = null;
  /** Why it refused to run; null if it did not. */
  refusal: string | null = null;
  /** Whether a signal has stopped it. */
  isPaused = false;
  /** The oldest call that waited at the longest silence. */
  waitedFor = "";
  /** What it has counted. */
  counts: WorkerCounts = { published: 0, retried: 0, deadlocks: 0, unserializable: 0, diskFull: 0 };
  /** How its records stand, where only the process can look; null until it has said so. */
  standing: Standing | null = null;
  /** How it ended; null while it runs. */
  ending: Ending | null = null;

  /** @param storeKind The kind of store that it will have, so that it can load its code. */
  constructor(storeKind: StoreConfig["kind"]) {
    this.#child = spawn(process.execPath, [
      "run",
      "--quiet",
      "--allow-all",
      fileURLToPath(new URL("worker.ts", import.meta.url)),
      storeKind,
    ]);
    this.exited = once(this.#child, "exit").then(() => this.#ended());
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

  /** The longest time without an answer of its database, or without a line of its own, in milliseconds. */
  get longestSilenceMs(): number {
    const isWatched = this.config !== null && this.ending === null && !this.isPaused;
    const silentMs = isWatched ? performance.now() - this.#heardAt : 0;
    return Math.max(this.#longestSilenceMs, silentMs);
  }

  /** Makes a spare one of a service. */
  begin(config: WorkerConfig): void {
    this.config = config;
    this.#heardAt = performance.now();
    this.send({ kind: "begin", config });
  }

  /** Writes a line to it. */
  send(line: OrderLine): void {
    if (this.ending === null) this.#child.stdin!.write(`${JSON.stringify(line)}\n`, () => {});
  }

  /** Kills it at once; resolves when it has ended. */
  kill(): Promise<void> {
    this.#longestSilenceMs = this.longestSilenceMs;
    this.#wanted = "killed";
    this.port = null;
    this.#signal("SIGKILL");
    return this.exited;
  }

  /** Stops it by a signal. */
  pause(): void {
    this.isPaused = true;
    this.#signal("SIGSTOP");
  }

  /** Continues it. */
  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.#heardAt = performance.now();
    this.#signal("SIGCONT");
  }

  /** Asks it to stop, and kills it if it does not. */
  async stop(): Promise<void> {
    if (this.ending !== null) return;
    this.resume();
    this.#wanted = "stopped";
    this.#child.stdin!.end();
    const timer = setTimeout(() => this.#signal("SIGKILL"), STOP_MS);
    await this.exited;
    clearTimeout(timer);
  }

  /** Not with the method of the child, which sends no signal after its first one. */
  #signal(signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): void {
    // It may have ended by itself a moment ago, which its exit shows.
    if (this.ending === null) signalProcess(this.#child.pid as number, signal);
  }

  #said(line: string): void {
    if (!line.startsWith("{")) return;
    const said = JSON.parse(line) as WorkerLine;
    this.#heardAt = performance.now();
    if (said.kind === "refused") this.refusal = said.reason;
    else if (said.kind === "ready") {
      if (this.#wanted === "running") this.port = said.port;
    } else {
      if (said.silentMs > this.#longestSilenceMs) {
        this.#longestSilenceMs = said.silentMs;
        this.waitedFor = said.waitsFor;
      }
      this.counts = said.counts;
      this.standing = said.standing;
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
