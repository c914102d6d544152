/**
 * The alarm that starts ticks of a bus through QStash messages to its tick route.
 *
 * Rule: no alarm is set for a time after the next sweep, which sets those that follow. So alarms are at most
 * ten minutes ahead, which is how long QStash remembers their deduplication ids, and a time gets one message
 * however often it is set.
 *
 * @module
 */
import type { Alarm } from "../../core/ports/alarm.ts";
import {
  aNumber,
  anything,
  aTextLike,
  checkOptions,
  oneOf,
  type OptionCheck,
  type OptionTable,
  orNull,
  withMethods,
} from "../../core/check_options.ts";
import { AtlastError } from "../../core/errors.ts";
import { isObject } from "../../core/json.ts";
import type { Clock } from "../../core/ports/platform.ts";
import { troubleOf } from "./answer.ts";
import { clientOf, QSTASH_ACCESS, type QstashAccess, type QstashClient } from "./client.ts";
import { ANSWER_TIME } from "./options.ts";
import { type Waited, waited } from "./time_limit.ts";
import { deliverableUrl } from "./routes.ts";

/** What {@linkcode qstashAlarm} takes. */
export interface QstashAlarmOptions extends QstashAccess {
  /** The public URL of the edge app's `/tick` route. */
  readonly tickUrl: string | URL;
  /**
   * The name of the bus, to distinguish its messages from those of other buses of the same account: 1 to 60
   * letters, digits, "-" and "_".
   */
  readonly name: string;
  /**
   * Times are rounded up to a multiple of this, in milliseconds. Equal times share one message.
   *
   * @default 10_000
   */
  readonly precisionMs?: number;
  /**
   * How long the publishing process may take to send a message before an alarm wakes the bus for it, in
   * milliseconds. Each message to the tick route is billed. With null, `flush()` sends messages that are due
   * at once, and the sweep finds the remaining ones.
   *
   * @default 60_000
   */
  readonly graceMs?: number | null;
  /**
   * The interval of sweeps, in minutes. A sweep finds work for which no alarm was sent, and sets the alarms
   * until the next sweep. With more than 10, a time may get several messages.
   *
   * @default 10
   */
  readonly sweepMinutes?: 1 | 2 | 3 | 4 | 5 | 6 | 10 | 12 | 15 | 20 | 30 | 60;
  /**
   * How long QStash may take to answer, in milliseconds.
   *
   * @default 15_000
   */
  readonly timeoutMs?: number;
  /**
   * The source of the time.
   *
   * @default the system's clock
   */
  readonly clock?: Pick<Clock, "now">;
}

/** An alarm on QStash. */
export interface QstashAlarm extends Alarm {
  /**
   * Creates the schedule of the sweep, or corrects it. Call it when you deploy. The first alarm for a time
   * after the next sweep calls it too.
   *
   * @throws {AtlastError} `unreachable`.
   */
  ensureSchedule(): Promise<void>;
}

/**
 * How far ahead a time must be to be armed, in milliseconds; a nearer one moves to the next. A message that
 * arrives early by this clock would find nothing to do, and its time would count as armed.
 */
const LEAD_MS = 3_000;

/** How often QStash tries a message to the tick route; after that the sweep finds the work. */
const PING_RETRIES = 3;

/** How many armed times an alarm remembers. */
const MAX_REMEMBERED = 100;

/** Those that are not checked here are checked where they are read. */
const OPTIONS: Readonly<Record<Exclude<keyof QstashAlarmOptions, "name">, OptionCheck>> = {
  ...QSTASH_ACCESS,
  tickUrl: anything,
  precisionMs: aNumber({ whole: true, least: 1, most: 30_000 }),
  graceMs: orNull(aNumber({ unit: "milliseconds", least: 0, most: 60 * 60_000, or: ", or null" })),
  // Minutes that divide an hour, so that sweeps come at even distances.
  sweepMinutes: oneOf(1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60),
  timeoutMs: aNumber(ANSWER_TIME),
  clock: withMethods("now"),
};

const REQUIRED: OptionTable = {
  name: aTextLike({ pattern: /^[\w-]{1,60}$/, words: `1 to 60 letters, digits, "-" and "_"` }),
};

/**
 * An alarm that wakes a bus by one delayed message of QStash to its tick route. Use it where no process is
 * resident, instead of a cron that polls.
 *
 * @example
 * ```ts ignore
 * const alarm = qstashAlarm({ token, name: "orders", tickUrl: "https://orders.example/tick" });
 * const bus = createBus({ store, transport, alarm }, subscribers);
 * ```
 * @throws {AtlastError} `invalid_option`.
 */
export function qstashAlarm(options: QstashAlarmOptions): QstashAlarm {
  return new OnQstash(options);
}

class OnQstash implements QstashAlarm {
  readonly graceMs: number | null;
  readonly #client: QstashClient;
  readonly #tickUrl: string;
  readonly #name: string;
  readonly #precisionMs: number;
  readonly #sweepMinutes: number;
  readonly #timeoutMs: number;
  readonly #clock: Pick<Clock, "now">;
  /** Times that this instance has armed, to avoid a second request for each. */
  readonly #armed = new Set<number>();
  #isSwept = false;

  constructor(options: QstashAlarmOptions) {
    checkOptions("make an alarm with", options, OPTIONS, REQUIRED);
    const { name, graceMs = 60_000, sweepMinutes = 10, precisionMs = 10_000 } = options;
    this.graceMs = graceMs;
    this.#client = clientOf(options);
    this.#tickUrl = deliverableUrl(options.tickUrl, "the option tickUrl");
    this.#name = name;
    // At least a second, the unit of QStash; at most half a sweep, or it would never arm a time.
    this.#precisionMs = Math.max(1_000, precisionMs);
    this.#sweepMinutes = sweepMinutes;
    this.#timeoutMs = options.timeoutMs ?? 15_000;
    this.#clock = options.clock ?? { now: () => Date.now() };
  }

  async arm(atMs: number): Promise<void> {
    const nowMs = this.#clock.now();
    if (atMs - nowMs > this.#sweepMinutes * 60_000 - this.#precisionMs) {
      return await this.#ensureSweep();
    }
    const at = Math.ceil(Math.max(atMs, nowMs + LEAD_MS) / this.#precisionMs);
    if (this.#armed.has(at)) return;
    await this.#request(() =>
      this.#client.publish({
        url: this.#tickUrl,
        method: "POST",
        notBefore: Math.ceil(at * this.#precisionMs / 1000),
        deduplicationId: `atlast-alarm.${this.#name}.${this.#precisionMs}.${at}`,
        retries: PING_RETRIES,
        label: `atlast-alarm-${this.#name}`,
      } as never)
    );
    if (this.#armed.size >= MAX_REMEMBERED) this.#armed.clear();
    this.#armed.add(at);
  }

  async ensureSchedule(): Promise<void> {
    await this.#request(() =>
      this.#client.schedules.create({
        scheduleId: this.#scheduleId,
        destination: this.#tickUrl,
        cron: this.#sweepMinutes === 60 ? "0 * * * *" : `*/${this.#sweepMinutes} * * * *`,
        method: "POST",
        // The next sweep comes soon enough.
        retries: 0,
      } as never)
    );
    this.#isSwept = true;
  }

  /** Not created again each time: a schedule that replaces itself may miss its next time. */
  async #ensureSweep(): Promise<void> {
    if (this.#isSwept) return;
    const isThere = await this.#request(
      () => this.#client.schedules.get(this.#scheduleId).then(() => true),
      () => false,
    );
    if (!isThere) await this.ensureSchedule();
    this.#isSwept = true;
  }

  get #scheduleId(): string {
    return `atlast-sweep-${this.#name}`;
  }

  async #request<Result>(work: () => Promise<Result>, missing?: () => Result): Promise<Result> {
    const response: Waited<Result> = await waited(work, this.#timeoutMs);
    if (response.kind === "answered") return response.result;
    if (response.kind === "threw") {
      const { error } = response;
      if (missing !== undefined && isObject(error) && error["status"] === 404) return missing();
      const { reason } = troubleOf(error, this.#clock.now()).result;
      throw new AtlastError("unreachable", `Cannot arm the alarm: ${reason}`);
    }
    throw new AtlastError("unreachable", "Cannot arm the alarm: QStash did not answer in time");
  }
}
