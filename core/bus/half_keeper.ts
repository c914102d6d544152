/**
 * Keeping half messages: the passive side, which stores them and lets their outcome be brought.
 *
 * @module
 */
import { checkCallbackNames } from "../callback_names.ts";
import { firstCheckAt } from "../checkback.ts";
import { AtlastError } from "../errors.ts";
import { HEADER } from "../headers.ts";
import { checkCallerId } from "../id.ts";
import type { LifecycleEvent, State } from "../lifecycle.ts";
import { checkBodySize, type Message, sameBody } from "../message.ts";
import type { NewRecord, StoredRecord } from "../ports.ts";
import { later, type RetryPolicy } from "../retry.ts";
import { mustRoute } from "./compose.ts";
import { largestBody, policyOf, type Settings } from "./options.ts";
import { newRecord } from "./new_record.ts";
import { decide, identityOf, settlementOf } from "./settling.ts";

/** A message to be kept until its outcome is known. */
export interface HalfDraft {
  /** The message; its `sentAtMs` is when it is prepared. */
  readonly message: Message;
  /** After which it is no longer worth sending, in Unix milliseconds; null means always. */
  readonly deadlineMs: number | null;
  /** When a failed sending is tried again; null for the policy of whoever sends it. */
  readonly retry: RetryPolicy | null;
}

/** How a half message stands. */
export interface HalfStatus {
  /** Its id. */
  readonly id: string;
  /** Its name. */
  readonly name: string;
  /** Where it stands: `prepared` and `in_doubt` are undecided, `cancelled` is cancelled, all else confirmed. */
  readonly state: State;
  /** Why it stands there, if there is something to explain. */
  readonly reason: string | null;
  /** Who decided it by hand, and why. */
  readonly note: string | null;
}

/**
 * Where half messages are kept: the store of this bus, or a service that has one. Every call may be
 * repeated.
 */
export interface HalfKeeper {
  /**
   * Keeps a half message. The same id again is the same message.
   *
   * @throws {AtlastError} `id_conflict` when the id is taken by a message with another name, body or
   * active side; `no_route` when it could not be sent, or its active side could not be asked; `too_large`.
   */
  prepare(draft: HalfDraft): Promise<HalfStatus>;
  /**
   * Brings the outcome: the operation took place.
   *
   * @throws {AtlastError} `wrong_state` when it was cancelled, `not_found` when there is none.
   */
  confirm(id: string): Promise<HalfStatus>;
  /**
   * Brings the outcome: the operation did not take place.
   *
   * @throws {AtlastError} `wrong_state` when it was confirmed, `not_found` when there is none.
   */
  cancel(id: string): Promise<HalfStatus>;
  /** How a half message stands; null when there is none. */
  query(id: string): Promise<HalfStatus | null>;
}

/** Keeps half messages in the outbox of a bus. */
export class OutboxKeeper<Tx> implements HalfKeeper {
  readonly #settings: Settings<Tx>;
  readonly #prepared: (firstCheckAtMs: number) => void;
  readonly #confirmed: () => void;

  /** Makes a keeper; it tells when a check will be due, and when a message is there to be sent. */
  constructor(
    settings: Settings<Tx>,
    tell: { readonly prepared: (firstCheckAtMs: number) => void; readonly confirmed: () => void },
  ) {
    this.#settings = settings;
    this.#prepared = tell.prepared;
    this.#confirmed = tell.confirmed;
  }

  async prepare(draft: HalfDraft): Promise<HalfStatus> {
    const { store, clock, check, observe } = this.#settings;
    const { message, deadlineMs, retry } = dated(draft, clock.now());
    const dueAtMs = firstCheckAt(check, clock.now());
    const record: NewRecord = {
      ...newRecord(message, { deadlineMs, retry, dueAtMs }),
      state: "prepared",
    };
    checkCallerId(message.id);
    checkCallbackNames(message.headers);
    this.#mustBeOfUse(message);
    await store.ready();
    const [result] = await store.add("outbox", [record], clock.now());
    if (result !== undefined && !result.added) return statusOfSame(message, result.existing);
    observe({ kind: "prepared", ...identityOf({ ...record, box: "outbox" }) });
    this.#prepared(dueAtMs);
    return { id: message.id, name: message.name, state: "prepared", reason: null, note: null };
  }

  async confirm(id: string): Promise<HalfStatus> {
    return await this.decide(id, "confirm");
  }

  async cancel(id: string): Promise<HalfStatus> {
    return await this.decide(id, "cancel");
  }

  async query(id: string): Promise<HalfStatus | null> {
    await this.#settings.store.ready();
    const record = await this.#settings.store.find("outbox", { id, group: "" });
    return record === null ? null : statusOf(record);
  }

  /** Carries an outcome out, whoever else may be asking for it at the moment; `note` says who decided by hand. */
  async decide(id: string, kind: "confirm" | "cancel", note?: string): Promise<HalfStatus> {
    const { store, observe } = this.#settings;
    await store.ready();
    for (;;) {
      const record = await store.find("outbox", { id, group: "" });
      if (record === null) {
        throw new AtlastError(
          "not_found",
          `Cannot ${kind} half message "${id}": the outbox has none with this id`,
        );
      }
      if (isDecided(record.state, kind)) return statusOf(record);
      mustBeUndecided(record, kind);
      const event = eventFor(record, kind, note);
      const decision = decide(this.#settings, record, event, policyOf(this.#settings, record));
      const [applied] = await store.settle("outbox", [{
        ...settlementOf(decision),
        claimed: "either",
      }]);
      if (applied) {
        observe({ kind: "changed", ...identityOf(record), state: decision.patch.state });
        if (kind === "confirm") this.#confirmed();
        return statusOf({ ...record, ...decision.patch });
      }
      // Someone changed it between the look and the step: look again.
    }
  }

  /** Refuses a message that could only wait for ever. */
  #mustBeOfUse({ name, headers, body }: Message): void {
    const { transport, checkBacks, fence } = this.#settings;
    const side = headers[HEADER.activeSide];
    if (side === undefined ? fence === undefined : !checkBacks.has(side)) {
      throw new AtlastError(
        "no_route",
        `Cannot prepare "${name}": ${
          side === undefined
            ? "want a fence in the options of the bus"
            : `active side "${side}" cannot be asked here, want it among the checkBacks of the bus`
        }`,
      );
    }
    mustRoute(transport, "prepare", name, headers);
    checkBodySize(body, largestBody(this.#settings));
  }
}

/**
 * A draft of another active side as of now: its immunity, delay and deadline must count by one clock, and
 * that of another service may be wrong.
 */
function dated(draft: HalfDraft, nowMs: number): HalfDraft {
  const { message, deadlineMs } = draft;
  if (message.headers[HEADER.activeSide] === undefined) return draft;
  return {
    ...draft,
    message: { ...message, sentAtMs: nowMs },
    deadlineMs: deadlineMs === null ? null : later(nowMs, deadlineMs - message.sentAtMs),
  };
}

/** The event of an outcome; a delayed message waits from when it was prepared. */
export function eventFor(
  record: StoredRecord,
  kind: "confirm" | "cancel",
  note?: string,
): LifecycleEvent {
  const noted = note === undefined ? {} : { note };
  if (kind === "cancel") return { kind, ...noted };
  const delayMs = Number(record.message.headers[HEADER.delayTime] ?? 0);
  return { kind, dueAtMs: later(record.message.sentAtMs, delayMs), ...noted };
}

/** How a record stands, as its keeper tells it. */
export function statusOf(record: StoredRecord): HalfStatus {
  const { id, state, reason, note } = record;
  return { id, name: record.message.name, state, reason, note };
}

/** Whether an outcome was brought before. One that contradicts it is refused by the lifecycle's table. */
function isDecided(state: State, kind: "confirm" | "cancel"): boolean {
  if (kind === "cancel") return state === "cancelled";
  return state === "scheduled" || state === "succeeded" || state === "failed";
}

/** An ordinary message can be withdrawn until it is sent; a half message that was confirmed cannot. */
function mustBeUndecided({ id, state }: StoredRecord, kind: "confirm" | "cancel"): void {
  if (state === "prepared" || state === "in_doubt") return;
  throw new AtlastError(
    "wrong_state",
    `Cannot ${kind} half message "${id}": it is ${state}, want one that is prepared or in_doubt`,
  );
}

function statusOfSame(message: Message, existing: StoredRecord): HalfStatus {
  const other = existing.message;
  const [side, otherSide] = [message, other].map(({ headers }) => headers[HEADER.activeSide]);
  if (
    other.name !== message.name || side !== otherSide || !sameBody(other.body, message.body)
  ) {
    throw new AtlastError(
      "id_conflict",
      `Cannot prepare "${message.name}" with id "${message.id}": ` +
        `a message "${other.name}" with another body, name or active side has it`,
    );
  }
  return statusOf(existing);
}
