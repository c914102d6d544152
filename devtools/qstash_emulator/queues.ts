/**
 * Decides which message may be delivered next, by queues, flow control keys and the account's parallelism.
 *
 * A due message first waits for its turn in its queue, then for its flow control key, then for one of the
 * account's deliveries to end.
 *
 * @module
 */
import type { FlowRecord } from "./flow_record.ts";
import type { MessageRecord, QueueRecord, QueueSlot } from "./records.ts";

/** A message in a line. */
interface Waiting {
  readonly message: MessageRecord;
  /** The order in which messages came into lines, over all of them. */
  readonly arrival: number;
}

/** A message in the line of its queue. */
interface InQueue {
  readonly message: MessageRecord;
  readonly slot: QueueSlot;
  due: boolean;
}

/** One line before the account's deliveries. */
type Line = Waiting[];

/** The lines of an account. */
export class Lines {
  readonly #queues: ReadonlyMap<string, QueueRecord>;
  readonly #flows: ReadonlyMap<string, FlowRecord>;
  readonly #parallelism: number;
  readonly #inQueues = new Map<string, InQueue[]>();
  readonly #admitted = new Map<string, number>();
  readonly #open: Line = [];
  readonly #waiting = new Map<string, Line>();
  #active = 0;
  #arrivals = 0;

  /** Makes the lines for queues and flow control keys. */
  constructor(
    queues: ReadonlyMap<string, QueueRecord>,
    flows: ReadonlyMap<string, FlowRecord>,
    parallelism: number,
  ) {
    this.#queues = queues;
    this.#flows = flows;
    this.#parallelism = parallelism;
  }

  /** How many deliveries are running. */
  get active(): number {
    return this.#active;
  }

  /** How many wait for a flow control key. */
  waitingFor(flowKey: string): number {
    return this.#waiting.get(flowKey)?.length ?? 0;
  }

  /** A message that is not due yet joins the line of its queue. */
  reserve(message: MessageRecord): void {
    if (message.queueName === undefined || message.slot === null) return;
    this.#enter(message.queueName, { message, slot: message.slot, due: false });
    this.admit(message.queueName);
  }

  /** A message is due. */
  arrive(message: MessageRecord): void {
    const { queueName, slot } = message;
    if (queueName === undefined || slot === null) return this.#forward(message);
    const entry = this.#inQueues.get(queueName)?.find((other) => other.message === message);
    if (entry === undefined) this.#enter(queueName, { message, slot, due: true });
    else entry.due = true;
    this.admit(queueName);
  }

  /** Lets through as many messages as the queue has capacity for. */
  admit(queueName: string): void {
    const queue = this.#queues.get(queueName);
    const line = this.#inQueues.get(queueName);
    if (queue === undefined || queue.paused || line === undefined) return;
    const left: InQueue[] = [];
    for (const entry of line) {
      const { message, slot, due } = entry;
      const count = this.#admitted.get(queueName) ?? 0;
      if (!slot.admitted && count < queue.parallelism) {
        slot.admitted = true;
        this.#admitted.set(queueName, count + 1);
      }
      if (due && slot.admitted) this.#forward(message);
      else left.push(entry);
    }
    this.#inQueues.set(queueName, left);
  }

  /** Moves messages that have not begun back into the line of a paused queue. */
  pauseHead(queueName: string): void {
    for (const line of [this.#open, ...this.#waiting.values()]) {
      for (const { message } of line.filter((entry) => entry.message.queueName === queueName)) {
        removeFrom(line, message);
        this.#enter(queueName, { message, slot: message.slot!, due: true });
      }
    }
  }

  /** Removes the next message that may be delivered now from its line, and counts its delivery. */
  take(nowMs: number): MessageRecord | undefined {
    if (this.#active >= this.#parallelism) return undefined;
    let best: Line | undefined = this.#open.length > 0 ? this.#open : undefined;
    for (const [key, line] of this.#waiting) {
      const flow = this.#flows.get(key);
      if (line.length === 0 || (flow !== undefined && !flow.mayStart(nowMs))) continue;
      if (best === undefined || line[0]!.arrival < best[0]!.arrival) best = line;
    }
    const message = best?.shift()?.message;
    if (message === undefined) return undefined;
    this.#active += 1;
    this.#flowOf(message)?.started(nowMs);
    return message;
  }

  /** A delivery has ended. */
  ended(message: MessageRecord): void {
    this.#active -= 1;
    this.#flowOf(message)?.ended();
  }

  /** When a rate allows the next one, in Unix milliseconds; undefined if none waits for that. */
  nextRateMs(nowMs: number): number | undefined {
    const times = [...this.#waiting].filter(([, line]) => line.length > 0)
      .map(([key]) => this.#flows.get(key)?.opensAtMs(nowMs))
      .filter((ms) => ms !== undefined);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** One of the messages that share a queue position has finished. */
  release(slot: QueueSlot | null): void {
    if (slot === null || --slot.holders > 0 || !slot.admitted) return;
    slot.admitted = false;
    const { queueName } = slot;
    this.#admitted.set(queueName, Math.max(0, (this.#admitted.get(queueName) ?? 1) - 1));
    this.admit(queueName);
  }

  /** Removes a message from every line. */
  remove(message: MessageRecord): void {
    removeFrom(this.#open, message);
    for (const line of this.#waiting.values()) removeFrom(line, message);
    for (const line of this.#inQueues.values()) {
      const at = line.findIndex((entry) => entry.message === message);
      if (at !== -1) line.splice(at, 1);
    }
  }

  #forward(message: MessageRecord): void {
    const key = message.config.flow?.key;
    const line = key === undefined ? this.#open : this.#waiting.get(key) ?? [];
    if (key !== undefined) this.#waiting.set(key, line);
    line.push({ message, arrival: ++this.#arrivals });
  }

  /** In the order of their enqueuing: a message that is retried stays before later ones. */
  #enter(queueName: string, entry: InQueue): void {
    const line = this.#inQueues.get(queueName) ?? [];
    this.#inQueues.set(queueName, line);
    const at = line.findLastIndex(({ slot }) => slot.sequence < entry.slot.sequence);
    line.splice(at + 1, 0, entry);
  }

  #flowOf({ config }: MessageRecord): FlowRecord | undefined {
    return config.flow === undefined ? undefined : this.#flows.get(config.flow.key);
  }
}

function removeFrom(line: Line, message: MessageRecord): void {
  const at = line.findIndex((entry) => entry.message === message);
  if (at !== -1) line.splice(at, 1);
}
