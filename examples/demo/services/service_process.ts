/**
 * Starts, stops and kills the process of a service, and reads its events.
 *
 * @module
 */
import { CONFIG_VARIABLE, type ServiceConfig } from "./service_program.ts";
import type { ServiceEvent } from "./service_event.ts";

/** How long a service may take to stop, in milliseconds, before it is killed. */
const STOP_MS = 10_000;

/** Receives what a process writes. */
export interface Listener {
  /** It wrote an event. */
  event(event: ServiceEvent): void;
  /** It wrote something else, such as an error's stack. */
  text(line: string): void;
}

/** A running service. */
export class ServiceProcess {
  readonly #child: Deno.ChildProcess;
  readonly #read: Promise<unknown>;
  #ended = false;

  private constructor(child: Deno.ChildProcess, read: Promise<unknown>) {
    this.#child = child;
    this.#read = read;
    this.status = child.status.then((status) => {
      this.#ended = true;
      return status;
    });
  }

  /** How it ended, once it has. */
  readonly status: Promise<Deno.CommandStatus>;

  /** Starts a service and resolves when it serves. It is killed if `signal` aborts before. */
  static async start(
    config: ServiceConfig,
    listener: Listener,
    signal: AbortSignal,
  ): Promise<ServiceProcess> {
    signal.throwIfAborted();
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--allow-all", new URL("service_program.ts", import.meta.url).href],
      env: { [CONFIG_VARIABLE]: JSON.stringify(config) },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const ready = Promise.withResolvers<void>();
    const read = Promise.all([
      eachLine(child.stdout, (line) => {
        if (!line.startsWith("{")) return listener.text(line);
        const event = JSON.parse(line) as ServiceEvent;
        listener.event(event);
        if (event.kind === "ready") ready.resolve();
      }),
      eachLine(child.stderr, (line) => listener.text(line)),
    ]);
    const started = new ServiceProcess(child, read);
    const died = started.status.then(async ({ code, signal }) => {
      await read;
      throw new Error(`The ${config.name} service ended with ${signal ?? `code ${code}`}`);
    });
    const unwanted = () => child.kill("SIGKILL");
    signal.addEventListener("abort", unwanted);
    try {
      await Promise.race([ready.promise, died]);
    } finally {
      signal.removeEventListener("abort", unwanted);
      // From here on the caller watches `status`.
      died.catch(() => {});
    }
    return started;
  }

  /** Kills it with SIGKILL. */
  async kill(): Promise<void> {
    if (!this.#ended) this.#child.kill("SIGKILL");
    await this.status;
    await this.#close();
  }

  /** Asks it to stop, waits until it has ended, and returns whether it succeeded. */
  async stop(): Promise<boolean> {
    await this.#child.stdin.close().catch(() => {});
    const timer = setTimeout(() => {
      if (!this.#ended) this.#child.kill("SIGKILL");
    }, STOP_MS);
    const { success } = await this.status;
    clearTimeout(timer);
    await this.#close();
    return success;
  }

  async #close(): Promise<void> {
    await this.#read;
    await this.#child.stdin.close().catch(() => {});
  }
}

async function eachLine(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  take: (line: string) => void,
): Promise<void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() as string;
    for (const line of lines) if (line !== "") take(line);
  }
  if (rest !== "") take(rest);
}
