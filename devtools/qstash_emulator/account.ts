/**
 * The state of a QStash account, in memory.
 *
 * @module
 */
import { EventLog } from "./event_log.ts";
import { FlowRecord } from "./flow_record.ts";
import { newId } from "./ids.ts";
import type { QstashKeys, Settings } from "./options.ts";
import type {
  AttemptResult,
  DlqRecord,
  FlowControl,
  MessageRecord,
  QstashState,
  QueueRecord,
  ScheduleRecord,
  UrlGroupRecord,
} from "./records.ts";
import { DailyQuota } from "./quota.ts";
import { Refusal } from "./refusal.ts";

/** The most delivered messages that are kept: each has its body, and the time of a test may stand still. */
const MAX_DELIVERED = 10_000;

/** A delivered message, and until when it can be read. */
interface Delivered {
  readonly message: MessageRecord;
  readonly untilMs: number;
}

/** An account. */
export class Account {
  readonly settings: Settings;
  /** Messages that are neither delivered nor dead-lettered, in the order they were accepted. */
  readonly messages = new Map<string, MessageRecord>();
  readonly queues = new Map<string, QueueRecord>();
  readonly groups = new Map<string, UrlGroupRecord>();
  readonly schedules = new Map<string, ScheduleRecord>();
  readonly flows = new Map<string, FlowRecord>();
  readonly events: EventLog;
  readonly quota: DailyQuota;
  keys: QstashKeys;
  readonly #dlq = new Map<string, DlqRecord>();
  /** Messages that were just delivered, oldest first. */
  readonly #delivered = new Map<string, Delivered>();
  #sequence = 0;

  /** Makes an empty account. */
  constructor(settings: Settings, keys: QstashKeys) {
    this.settings = settings;
    this.keys = keys;
    this.events = new EventLog(settings.limits.logRetentionMs);
    this.quota = new DailyQuota(settings.limits.messagesPerDay);
  }

  /** Unix time in milliseconds. */
  now(): number {
    return this.settings.clock.now();
  }

  /** The next sequence number. */
  nextSequence(): number {
    return ++this.#sequence;
  }

  /** A new id. */
  newId(prefix: "msg" | "scd" | "jwt" | "sig"): string {
    return newId(prefix, this.settings.random);
  }

  /** The next key becomes the current one, and a new one the next. */
  rotateKeys(): QstashKeys {
    this.keys = { current: this.keys.next, next: this.newId("sig") };
    return this.keys;
  }

  /** Logs an event of a message, and reports it to `onEvent`. */
  record(
    message: MessageRecord,
    state: QstashState,
    more: { nextDeliveryMs?: number; result?: AttemptResult } = {},
  ): void {
    const atMs = this.now();
    this.events.add({ timeMs: atMs, state, message, ...more });
    this.settings.onEvent({
      atMs,
      state,
      messageId: message.id,
      url: message.url,
      kind: message.kind,
      retried: message.retried,
      ...(more.result === undefined ? {} : { status: more.result.status }),
    });
  }

  /** Keeps a delivered message readable for a time. */
  keepDelivered(message: MessageRecord): void {
    const untilMs = this.now() + this.settings.assume.deliveredReadableMs;
    this.#delivered.set(message.id, { message, untilMs });
    for (const [id, { untilMs }] of this.#delivered) {
      if (untilMs > this.now() && this.#delivered.size <= MAX_DELIVERED) break;
      this.#delivered.delete(id);
    }
  }

  /** A message that was just delivered; undefined for any other. */
  deliveredMessage(id: string): MessageRecord | undefined {
    const found = this.#delivered.get(id);
    return found !== undefined && found.untilMs > this.now() ? found.message : undefined;
  }

  /** The DLQ, oldest first, without expired messages. */
  dlq(): ReadonlyMap<string, DlqRecord> {
    const fromMs = this.now() - this.settings.limits.dlqRetentionMs;
    for (const [id, { failedAtMs }] of this.#dlq) {
      if (failedAtMs >= fromMs) break;
      this.#dlq.delete(id);
    }
    return this.#dlq;
  }

  /** Puts a message into the DLQ. */
  giveUp(message: MessageRecord, result: AttemptResult): DlqRecord {
    const failedAtMs = this.now();
    const dlqId = `${failedAtMs}-${this.nextSequence()}`;
    const record = { dlqId, message, failedAtMs, result };
    this.#dlq.set(dlqId, record);
    return record;
  }

  /** Removes a message from the DLQ. */
  removeFromDlq(dlqId: string): boolean {
    return this.#dlq.delete(dlqId);
  }

  /** The queue of this name; created if it is missing. */
  queue(name: string): QueueRecord {
    const known = this.queues.get(name);
    if (known !== undefined) return known;
    if (this.queues.size >= this.settings.limits.queues) {
      throw new Refusal(412, "quota maxQueues exceeded");
    }
    const nowMs = this.now();
    const queue = {
      name,
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      parallelism: 1,
      paused: false,
    };
    this.queues.set(name, queue);
    return queue;
  }

  /** The flow control key; created if it is missing. A message sets its limits. */
  flow(key: string, limits?: FlowControl): FlowRecord {
    let flow = this.flows.get(key);
    if (flow === undefined) this.flows.set(key, flow = new FlowRecord(key, this.now()));
    if (limits !== undefined) flow.configure(limits);
    return flow;
  }
}
