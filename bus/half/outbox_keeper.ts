/**
 * The keeper's part of half messages: stores them and applies the outcome that the participant sends.
 *
 * @module
 */
import type { HalfDraft, HalfKeeper, HalfScope, HalfStatus } from "../../core/ports/half_keeper.ts";
import { checkCallbackNames } from "../../core/message/callback_names.ts";
import { firstCheckAt, isUndecided } from "../../core/lifecycle/check_back.ts";
import { checkDelayWithin, readDelayTime } from "../../core/message/delay_time.ts";
import { AtlastError } from "../../core/errors.ts";
import { HEADER } from "../../core/message/headers.ts";
import { checkCallerId } from "../../core/message/id.ts";
import type { LifecycleEvent, State } from "../../core/lifecycle/lifecycle.ts";
import { checkBodySize, type Message } from "../../core/message/message.ts";
import type { NewRecord, StoredRecord } from "../../core/ports/record.ts";
import { later } from "../../core/lifecycle/retry.ts";
import { isSamePublish } from "../../core/message/same_message.ts";
import { mustRoute } from "../publish/build_message.ts";
import type { BusEvent } from "../api/observer.ts";
import { largestBody, type Settings } from "../settings/settings.ts";
import { newRecord } from "../records/new_record.ts";
import { conflict, isHalf } from "../publish/receipt.ts";
import { identityOf } from "../records/decision.ts";
import { withGroups } from "../publish/local_delivery.ts";
import { updateRecord } from "../records/update_record.ts";

/** A decision that a person made, as the record keeps it. */
export interface HandNote {
  /** Who decided, what and why. */
  readonly note: string;
  /** Whether the decision was made without the participant, which could not be reached. */
  readonly forced: boolean;
}

/** Keeps half messages in the outbox of a bus. */
export class OutboxKeeper<Tx> implements HalfKeeper {
  readonly #settings: Settings<Tx>;
  readonly #prepared: (firstCheckAtMs: number) => void;
  readonly #confirmed: () => void;

  /**
   * Creates a keeper. It calls `prepared` with the time of a first check, and `confirmed` when a
   * message can be sent.
   */
  constructor(
    settings: Settings<Tx>,
    notify: { readonly prepared: (firstCheckAtMs: number) => void; readonly confirmed: () => void },
  ) {
    this.#settings = settings;
    this.#prepared = notify.prepared;
    this.#confirmed = notify.confirmed;
  }

  async prepare(draft: HalfDraft): Promise<HalfStatus> {
    const { store, clock, check, observe } = this.#settings;
    // The clock may be set to that of the store's server, which the immunity must not mix with another.
    await store.ready();
    const own = dated(draft, clock.now());
    const { message, deadlineMs, retry } = own;
    const dueAtMs = firstCheckAt(check, clock.now());
    // A half message of another participant is recognised by its header.
    const details = message.headers[HEADER.participant] === undefined ? { isHalf: true } : null;
    const record: NewRecord = {
      ...withGroups(
        this.#settings,
        newRecord(message, { deadlineMs, retry, dueAtMs, details }),
      ),
      state: "prepared",
    };
    checkCallerId(message.id);
    checkCallbackNames(message.headers);
    this.#mustBeUsable(own);
    const [result] = await store.add("outbox", [record], clock.now());
    if (result !== undefined && !result.added) return statusOfSame(message, result.existing);
    observe({ kind: "prepared", ...identityOf({ ...record, box: "outbox" }) });
    this.#prepared(dueAtMs);
    return { id: message.id, name: message.name, state: "prepared", reason: null, note: null };
  }

  async confirm(id: string, scope: HalfScope = {}): Promise<HalfStatus> {
    return await this.decide(id, "confirm", { scope });
  }

  async cancel(id: string, scope: HalfScope = {}): Promise<HalfStatus> {
    return await this.decide(id, "cancel", { scope });
  }

  async query(id: string, scope: HalfScope = {}): Promise<HalfStatus | null> {
    const record = await this.find(id, scope);
    return record === null ? null : statusOf(record);
  }

  /** The record of a half message in a scope; null when there is none. */
  async find(id: string, scope: HalfScope = {}): Promise<StoredRecord | null> {
    await this.#settings.store.ready();
    return within(scope, id, await this.#settings.store.find("outbox", { id, group: "" }));
  }

  /** Applies an outcome. Safe while other calls apply one at the same time. */
  async decide(
    id: string,
    kind: "confirm" | "cancel",
    { scope = {}, hand }: { readonly scope?: HalfScope; readonly hand?: HandNote } = {},
  ): Promise<HalfStatus> {
    return await updateRecord<Tx, HalfStatus>(this.#settings, {
      what: `${kind} half message "${id}"`,
      box: "outbox",
      key: { id, group: "" },
      choose: (found) => {
        const record = within(scope, id, found);
        if (record === null) {
          throw new AtlastError(
            "not_found",
            `Cannot ${kind} half message "${id}": the outbox has none with this id`,
          );
        }
        if (isDecided(record.state, kind)) return { result: statusOf(record) };
        const contradiction = contradictionOf(record, kind);
        if (contradiction !== null) this.#settings.observe(contradiction);
        mustBeUndecided(record, kind);
        return {
          record,
          event: eventFor(record, kind, hand),
          guard: "anyone",
          done: (changed) => {
            if (kind === "confirm") this.#confirmed();
            return statusOf(changed);
          },
        };
      },
    });
  }

  /** Schedules a parked half message for new checks, by any instance that can check it. */
  async checkAgain(id: string): Promise<HalfStatus> {
    return await updateRecord<Tx, HalfStatus>(this.#settings, {
      what: `check half message "${id}" again`,
      box: "outbox",
      key: { id, group: "" },
      choose: (record) => {
        if (record?.state !== "in_doubt") throw notParked(id, record);
        return {
          record,
          event: {
            kind: "check_again",
            atMs: this.#settings.clock.now(),
            checks: 0,
            unreachable: 0,
            reason: "Parked, and checked again by hand",
          },
          guard: "anyone",
          done: (changed) => {
            this.#prepared(changed.dueAtMs);
            return statusOf(changed);
          },
        };
      },
    });
  }

  /** Refuses a message that could never be checked or sent. */
  #mustBeUsable({ message: { name, headers, body, sentAtMs }, deadlineMs }: HalfDraft): void {
    const { routing, checkBacks, fence } = this.#settings;
    const participant = headers[HEADER.participant];
    if (participant === undefined ? fence === undefined : !checkBacks.has(participant)) {
      throw new AtlastError(
        "no_route",
        `Cannot prepare "${name}": ${
          participant === undefined
            ? "want a fence in the options of the bus"
            : `participant "${participant}" cannot be asked here, want it among the checkBacks of the bus`
        }`,
      );
    }
    const delay = headers[HEADER.delayTime] ?? "";
    const delayMs = delay === "" ? 0 : readDelayTime(delay);
    if (delayMs === null) {
      throw new AtlastError(
        "invalid_header",
        `Cannot use header "${HEADER.delayTime}": want milliseconds, or hh:mm:ss`,
      );
    }
    checkDelayWithin("prepare", delayMs, deadlineMs === null ? undefined : deadlineMs - sentAtMs);
    mustRoute(routing, "prepare", name, headers);
    checkBodySize(body, largestBody(this.#settings));
  }
}

/**
 * Moves the times of a draft to this service's clock. Immunity, delay and deadline must count by
 * one clock, and that of another service may be wrong.
 */
function dated(draft: HalfDraft, nowMs: number): HalfDraft {
  const { message, deadlineMs } = draft;
  if (message.headers[HEADER.participant] === undefined) return draft;
  return {
    ...draft,
    message: { ...message, sentAtMs: nowMs },
    deadlineMs: deadlineMs === null ? null : later(nowMs, deadlineMs - message.sentAtMs),
  };
}

/** The event of an outcome. The delay of a delayed message counts from its preparation. */
export function eventFor(
  record: StoredRecord,
  kind: "confirm" | "cancel",
  hand?: HandNote,
): LifecycleEvent {
  if (kind === "cancel") return { kind, ...hand };
  const delayMs = readDelayTime(record.message.headers[HEADER.delayTime] ?? "") ?? 0;
  return { kind, dueAtMs: later(record.message.sentAtMs, delayMs), ...hand };
}

/**
 * The event `contradicted` if an outcome contradicts the decision on a half message; otherwise
 * null.
 */
export function contradictionOf(
  record: StoredRecord,
  kind: "confirm" | "cancel",
): BusEvent | null {
  const { state, details } = record;
  if (!isDecided(state, kind === "confirm" ? "cancel" : "confirm")) return null;
  return {
    kind: "contradicted",
    ...identityOf(record),
    state,
    outcome: kind === "confirm" ? "committed" : "aborted",
    forced: details?.forced ?? false,
  };
}

/** The record if it is a half message in the scope; null when there is none. */
function within(
  { participant }: HalfScope,
  id: string,
  record: StoredRecord | null,
): StoredRecord | null {
  if (record === null || participant === undefined) return record;
  const owner = record.message.headers[HEADER.participant];
  if (owner === undefined) return null;
  if (owner === participant) return record;
  throw new AtlastError(
    "forbidden",
    `Cannot touch half message "${id}": want one of participant "${participant}"`,
  );
}

/** The status of a record. */
function statusOf(record: StoredRecord): HalfStatus {
  const { id, state, reason, note } = record;
  return { id, name: record.message.name, state, reason, note };
}

/**
 * Whether the same outcome was applied before. The lifecycle table refuses one that contradicts it.
 */
function isDecided(state: State, kind: "confirm" | "cancel"): boolean {
  if (kind === "cancel") return state === "cancelled";
  return state === "scheduled" || state === "succeeded" || state === "failed";
}

function notParked(id: string, record: StoredRecord | null): AtlastError {
  return new AtlastError(
    record === null ? "not_found" : "wrong_state",
    `Cannot check half message "${id}" again: got ${
      record === null ? "none with this id" : `one that is ${record.state}`
    }, want one in_doubt`,
  );
}

/**
 * Refuses a decided message: an ordinary message can be cancelled until it is sent, but not a
 * confirmed half message.
 */
function mustBeUndecided({ id, state }: StoredRecord, kind: "confirm" | "cancel"): void {
  if (isUndecided(state)) return;
  throw new AtlastError(
    "wrong_state",
    `Cannot ${kind} half message "${id}": it is ${state}, want one that is prepared or in_doubt`,
  );
}

function statusOfSame(message: Message, existing: StoredRecord): HalfStatus {
  const other = existing.message;
  const [participant, otherParticipant] = [message, other].map(({ headers }) =>
    headers[HEADER.participant]
  );
  // A message that was published, or cancelled after that, is no half message with an outcome.
  if (participant !== otherParticipant || !isSamePublish(other, message) || !isHalf(existing)) {
    throw conflict("prepare", message.name, message.id);
  }
  return statusOf(existing);
}
