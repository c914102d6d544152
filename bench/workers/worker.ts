/**
 * The bench's end of the connection to a worker: starts the process, signals it and receives its reports.
 *
 * @module
 */
import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { denoConfigOf } from "../peers/packages.ts";
import type { Task, WorkerReport } from "./protocol.ts";

const PROGRAM = fileURLToPath(new URL("./worker_process.ts", import.meta.url));
const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));

/** A report of one kind. */
type WorkerReportOf<Kind extends WorkerReport["kind"]> = Extract<
  WorkerReport,
  { readonly kind: Kind }
>;

/** A running worker. */
export class Worker {
  readonly #child;
  readonly #onHandled: (report: WorkerReportOf<"handled">) => void;
  readonly #end: Promise<void>;
  readonly #waiting = new Map<WorkerReport["kind"], (report: WorkerReport) => void>();
  readonly #unread = new Map<WorkerReport["kind"], WorkerReport>();

  /** @param onHandled Called with each report of how many messages it has handled. */
  constructor(task: Task, onHandled: (report: WorkerReportOf<"handled">) => void = () => {}) {
    this.#onHandled = onHandled;
    const peers = "openOptions" in task ? task.openOptions.peers : null;
    const config = peers === null ? CONFIG : denoConfigOf(peers);
    this.#child = spawn(
      process.execPath,
      ["run", "-A", "--no-check", "--config", config, PROGRAM, JSON.stringify(task)],
      { stdio: ["pipe", "pipe", "inherit"] },
    );
    createInterface({ input: this.#child.stdout }).on("line", (line) => this.#receive(line));
    this.#end = new Promise((resolve, reject) => {
      this.#child.once("exit", (code) => {
        if (code === 0) resolve();
        else reject(new Error(`Cannot measure: the worker ended with exit code ${code}`));
      });
    });
    this.#end.catch(() => {});
  }

  /** Waits for the next report of a kind. Rejects when the worker fails. */
  async nextReport<Kind extends WorkerReport["kind"]>(kind: Kind): Promise<WorkerReportOf<Kind>> {
    const next = new Promise<WorkerReport>((resolve) => {
      const unread = this.#unread.get(kind);
      this.#unread.delete(kind);
      if (unread === undefined) this.#waiting.set(kind, resolve);
      else resolve(unread);
    });
    return await Promise.race([next, this.failed()]) as WorkerReportOf<Kind>;
  }

  /** Rejects when the worker ends with an error, and never resolves. */
  failed(): Promise<never> {
    return this.#end.then(() => new Promise<never>(() => {}));
  }

  /** Signals that the next step may begin. */
  signal(): void {
    this.#child.stdin.write("\n");
  }

  /** Waits until the worker has ended. Rejects when it fails. */
  async ended(): Promise<void> {
    await this.#end;
  }

  /** Kills the worker. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #receive(line: string): void {
    // Other lines were printed by a peer.
    if (!line.startsWith('{"kind":')) return;
    const report = JSON.parse(line) as WorkerReport;
    if (report.kind === "handled") return this.#onHandled(report);
    const resolve = this.#waiting.get(report.kind);
    this.#waiting.delete(report.kind);
    if (resolve === undefined) this.#unread.set(report.kind, report);
    else resolve(report);
  }
}

/** Runs a worker that needs no signal, and waits until it has ended. */
export async function runWorkerToEnd(task: Task): Promise<Worker> {
  const worker = new Worker(task);
  await worker.ended();
  return worker;
}

/** Signals the end of the measurement to workers, and returns their reports when they have ended. */
export async function stopWorkers(
  workers: readonly Worker[],
): Promise<readonly WorkerReportOf<"done">[]> {
  for (const worker of workers) worker.signal();
  const reports = await Promise.all(workers.map((worker) => worker.nextReport("done")));
  await Promise.all(workers.map((worker) => worker.ended()));
  return reports;
}
