/**
 * Measuring processes, from the side of the bench.
 *
 * @module
 */
import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Order, Report } from "./protocol.ts";
import { peersConfig } from "../peers/packages.ts";

const CHILD = fileURLToPath(new URL("./worker_process.ts", import.meta.url));
const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));

/** A report of one kind. */
export type ReportOf<Kind extends Report["kind"]> = Extract<Report, { readonly kind: Kind }>;

/** A running process. */
export class Worker {
  readonly #child;
  readonly #onProgress: (report: ReportOf<"handled">) => void;
  readonly #ended: Promise<void>;
  readonly #waiting = new Map<Report["kind"], (report: Report) => void>();
  readonly #heard = new Map<Report["kind"], Report>();

  constructor(order: Order, onProgress: (report: ReportOf<"handled">) => void = () => {}) {
    this.#onProgress = onProgress;
    const peers = "open" in order ? order.open.peers : null;
    const config = peers === null ? CONFIG : peersConfig(peers);
    this.#child = spawn(
      process.execPath,
      ["run", "-A", "--no-check", "--config", config, CHILD, JSON.stringify(order)],
      { stdio: ["pipe", "pipe", "inherit"] },
    );
    createInterface({ input: this.#child.stdout }).on("line", (line) => this.#hear(line));
    this.#ended = new Promise((resolve, reject) => {
      this.#child.once("exit", (code) => {
        if (code === 0) resolve();
        else reject(new Error(`Cannot measure: the process ended with ${code}`));
      });
    });
    this.#ended.catch(() => {});
  }

  /** Waits for the next report of a kind. Rejects when the process ends badly. */
  async hears<Kind extends Report["kind"]>(kind: Kind): Promise<ReportOf<Kind>> {
    const heard = new Promise<Report>((resolve) => {
      const known = this.#heard.get(kind);
      this.#heard.delete(kind);
      if (known === undefined) this.#waiting.set(kind, resolve);
      else resolve(known);
    });
    return await Promise.race([heard, this.failed()]) as ReportOf<Kind>;
  }

  /** Rejects when the process ends badly, and never resolves. */
  failed(): Promise<never> {
    return this.#ended.then(() => new Promise<never>(() => {}));
  }

  /** Says the word to go on. */
  tell(): void {
    this.#child.stdin.write("\n");
  }

  /** Waits for its end. */
  async end(): Promise<void> {
    await this.#ended;
  }

  /** Ends it at once. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #hear(line: string): void {
    // What a peer prints is not for us.
    if (!line.startsWith('{"kind":')) return;
    const report = JSON.parse(line) as Report;
    if (report.kind === "handled") return this.#onProgress(report);
    const waiting = this.#waiting.get(report.kind);
    this.#waiting.delete(report.kind);
    if (waiting === undefined) this.#heard.set(report.kind, report);
    else waiting(report);
  }
}

/** Runs a process that is told nothing, to its end. */
export async function runWorker(order: Order): Promise<Worker> {
  const worker = new Worker(order);
  await worker.end();
  return worker;
}
