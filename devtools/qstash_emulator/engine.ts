/**
 * Sends due messages, and decides by the result how each goes on. The emulator calls it after each API
 * request and when its clock fires.
 *
 * @module
 */
import type { Account } from "./account.ts";
import { Agenda } from "./timers.ts";
import { isNonRetryable, noAnswer } from "./attempt.ts";
import { callbackBody, callbackConfig } from "./callback.ts";
import { Deliveries } from "./deliveries.ts";
import { Lines } from "./queues.ts";
import type {
  AttemptResult,
  CallbackConfig,
  MessageConfig,
  MessageRecord,
  MessageTarget,
  QueueSlot,
} from "./records.ts";
import { retryDelayMs } from "./retry_time.ts";

/** The parts of a new message. */
interface NewMessage extends MessageTarget {
  readonly config: MessageConfig;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly redacted: ReadonlyMap<string, string>;
  readonly kind?: MessageRecord["kind"];
  /** The queue position that it shares with the message that it comes from. */
  readonly slot?: QueueSlot | null;
}

/** Delivers the messages of an account. */
export class Engine {
  /** Scheduled work other than deliveries. */
  readonly agenda: Agenda = new Agenda();
  readonly lines: Lines;
  readonly #account: Account;
  readonly #deliveries: Deliveries;
  readonly #idle: (() => void)[] = [];
  #attempts = 0;
  #timer: { readonly atMs: number; readonly cancel: () => void } | null = null;
  #isClosed = false;

  /** Makes an engine that is idle until something is due. */
  constructor(account: Account) {
    this.#account = account;
    const { queues, flows, settings } = account;
    this.lines = new Lines(queues, flows, settings.limits.parallelism);
    this.#deliveries = new Deliveries(account, this.agenda);
  }

  /** The next due time, in Unix milliseconds; undefined for none. */
  get nextAtMs(): number | undefined {
    const times = [this.agenda.nextAtMs, this.lines.nextRateMs(this.#account.now())]
      .filter((ms) => ms !== undefined);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** Accepts a message. */
  accept(input: NewMessage): MessageRecord {
    const account = this.#account;
    const { config, queueName, kind = "message" } = input;
    const nowMs = account.now();
    const sequence = account.nextSequence();
    const notBeforeMs = Math.max(nowMs, config.notBeforeMs ?? nowMs + config.delayMs);
    const slot = input.slot ??
      (queueName === undefined ? null : { queueName, sequence, holders: 0, admitted: false });
    if (slot !== null) slot.holders += 1;
    const message: MessageRecord = {
      ...input,
      id: account.newId("msg"),
      sequence,
      kind,
      createdAtMs: nowMs,
      notBeforeMs,
      slot,
      retried: 0,
      state: "waiting",
      faultChosen: false,
      unschedule: () => {},
    };
    account.messages.set(message.id, message);
    if (config.flow !== undefined) account.flow(config.flow.key, config.flow);
    account.record(message, "CREATED");
    const blocksLine = account.settings.assume.delayInQueue === "holds_the_line";
    if (notBeforeMs > nowMs && blocksLine) this.lines.reserve(message);
    this.#schedule(message, notBeforeMs);
    return message;
  }

  /** Cancels a message. If it is being delivered or waits for its retry, it is cancelled when that ends. */
  cancel(message: MessageRecord): void {
    if (message.state === "cancelled") return;
    const isActive = message.state === "active";
    message.state = "cancelled";
    this.#account.record(message, "CANCEL_REQUESTED");
    if (!isActive && message.retried === 0) this.#finish(message, "cancelled");
    this.soon();
  }

  /** Starts the deliveries that may start now, and sets the timer for the next ones. */
  pump(): void {
    if (this.#isClosed) return;
    const nowMs = this.#account.now();
    for (let run = this.agenda.take(nowMs); run; run = this.agenda.take(nowMs)) run();
    for (let next = this.lines.take(nowMs); next; next = this.lines.take(nowMs)) {
      this.#start(next);
    }
    this.wake();
  }

  /** Makes the clock check at once for deliveries that may start now, because capacity became free. */
  soon(): void {
    this.agenda.add(this.#account.now(), () => {});
    this.wake();
  }

  /** Sets the timer for the next due time. */
  wake(): void {
    const nextAtMs = this.#isClosed ? undefined : this.nextAtMs;
    if (this.#timer?.atMs === nextAtMs) return;
    this.#timer?.cancel();
    this.#timer = null;
    if (nextAtMs === undefined) return;
    const { clock } = this.#account.settings;
    const cancel = clock.after(Math.max(0, nextAtMs - clock.now()), () => {
      this.#timer = null;
      this.pump();
    });
    this.#timer = { atMs: nextAtMs, cancel };
  }

  /** Starts due deliveries, and waits until none is running. */
  async settled(): Promise<void> {
    this.pump();
    while (this.#deliveries.size > 0) {
      await this.#deliveries.ended();
      this.pump();
    }
  }

  /** Starts due deliveries, and waits until their requests are sent and those over their time limit have ended. */
  async setOut(): Promise<void> {
    for (let begun = -1; begun !== this.#deliveries.begun;) {
      begun = this.#deliveries.begun;
      this.pump();
      await this.#deliveries.setOut();
    }
  }

  /** Resolves when no message is left, delivered or not. */
  async idle(): Promise<void> {
    if (this.#isIdle()) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Ends running deliveries and starts no more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.wake();
    this.#deliveries.abort();
    await this.#deliveries.ended();
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #schedule(message: MessageRecord, atMs: number): void {
    message.unschedule = this.agenda.add(atMs, () => {
      if (message.state === "cancelled") return this.#finish(message, "cancelled");
      this.lines.arrive(message);
    });
    this.wake();
  }

  #start(message: MessageRecord): void {
    if (message.state === "cancelled") {
      this.lines.ended(message);
      return this.#finish(message, "cancelled");
    }
    const { faults } = this.#account.settings;
    const { id: messageId, url, retried, kind } = message;
    const fault = message.faultChosen
      ? undefined
      : faults.delivery?.({ messageId, url, retried, kind, count: ++this.#attempts });
    if (fault?.kind === "delay") {
      message.faultChosen = true;
      this.lines.ended(message);
      return this.#schedule(message, this.#account.now() + fault.delayMs);
    }
    message.faultChosen = false;
    message.state = "active";
    this.#account.record(message, "ACTIVE");
    if (fault?.kind === "hang") {
      this.agenda.add(this.#account.now() + message.config.timeoutMs, () => {
        this.#settle(message, noAnswer(this.#account, "request timed out"));
      });
      return;
    }
    this.#deliveries.begin(message, fault, (result) => {
      if (this.#isClosed) return;
      this.#settle(message, result);
      this.pump();
    }, () => this.#resolveIdle());
  }

  #settle(message: MessageRecord, result: AttemptResult): void {
    const account = this.#account;
    const { config } = message;
    this.lines.ended(message);
    if (result.status >= 200 && result.status <= 299) {
      account.record(message, "DELIVERED", { result });
      this.#callBack(message, config.callback, result);
      return this.#finish(message, "delivered");
    }
    account.record(message, "ERROR", { result });
    if (message.state === "cancelled") return this.#finish(message, "cancelled");
    this.#callBack(message, config.callback, result);
    if (isNonRetryable(result) || message.retried >= config.retry.maxRetries) {
      const { dlqId } = account.giveUp(message, result);
      account.record(message, "FAILED", { result });
      this.#callBack(message, config.failureCallback, result, dlqId);
      return this.#finish(message, "failed");
    }
    const delayMs = retryDelayMs({
      headers: result.headers,
      retried: message.retried,
      expression: config.retry.expression,
      precedence: account.settings.assume.retryTimeFrom,
      nowMs: account.now(),
    });
    const nextDeliveryMs = account.now() + delayMs;
    message.retried += 1;
    message.state = "waiting";
    account.record(message, "RETRY", { nextDeliveryMs, result });
    this.#schedule(message, nextDeliveryMs);
  }

  #callBack(
    message: MessageRecord,
    callback: CallbackConfig | undefined,
    result: AttemptResult,
    dlqId?: string,
  ): void {
    if (callback === undefined) return;
    this.accept({
      url: callback.url,
      config: callbackConfig(callback, message.config),
      body: callbackBody(message, result, dlqId),
      redacted: new Map(),
      kind: dlqId === undefined ? "callback" : "failure_callback",
      slot: message.slot,
    });
  }

  #finish(message: MessageRecord, end: "delivered" | "failed" | "cancelled"): void {
    const account = this.#account;
    account.messages.delete(message.id);
    if (end === "delivered") account.keepDelivered(message);
    if (end === "cancelled") {
      message.unschedule();
      this.lines.remove(message);
      account.record(message, account.settings.assume.cancelledState);
    }
    const schedule = account.schedules.get(message.scheduleId ?? "");
    if (schedule?.lastStates.has(message.id)) {
      schedule.lastStates.set(message.id, end === "delivered" ? "SUCCESS" : "FAIL");
    }
    this.lines.release(message.slot);
    this.#resolveIdle();
  }

  #isIdle(): boolean {
    return this.#account.messages.size === 0 && this.#deliveries.size === 0;
  }

  #resolveIdle(): void {
    if (this.#isIdle()) { for (const resolve of this.#idle.splice(0)) resolve(); }
  }
}
