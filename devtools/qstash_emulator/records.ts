/**
 * The records of a QStash account.
 *
 * @module
 */
import type { Expression } from "./expression.ts";

/** The limits that a flow control key was given with a message. */
export interface FlowControl {
  readonly key: string;
  readonly parallelism?: number;
  readonly rate?: number;
  readonly periodSeconds: number;
}

/** The retries of a message: their number and their delay. */
export interface RetryRule {
  readonly maxRetries: number;
  readonly expression?: Expression;
  readonly expressionText?: string;
}

/** A callback that a message asks for. */
export interface CallbackConfig {
  readonly url: string;
  readonly method: string;
  /** All its headers. */
  readonly header: HeaderMap;
  /** Those of them that the publisher gave. */
  readonly forwarded: HeaderMap;
  readonly timeoutMs: number;
  readonly retry: RetryRule;
}

/** Headers as QStash displays them: by their canonical names. */
export type HeaderMap = Readonly<Record<string, readonly string[]>>;

/** The parts of a message that the API hides. */
export interface Redaction {
  readonly body: boolean;
  readonly allHeaders: boolean;
  /** By canonical name. */
  readonly headers: ReadonlySet<string>;
}

/** The configuration of a message in a publish request, for any destination. */
export interface MessageConfig {
  readonly method: string;
  readonly header: HeaderMap;
  readonly delayMs: number;
  /** In Unix milliseconds. */
  readonly notBeforeMs?: number;
  readonly retry: RetryRule;
  readonly timeoutMs: number;
  readonly callback?: CallbackConfig;
  readonly failureCallback?: CallbackConfig;
  readonly labels: readonly string[];
  readonly flow?: FlowControl;
  readonly redaction?: Redaction;
  readonly deduplicationId?: string;
  readonly contentBasedDeduplication: boolean;
  readonly callerIp: string;
}

/** Where a message came from and goes to. */
export interface MessageTarget {
  readonly url: string;
  readonly topicName?: string;
  readonly endpointName?: string;
  readonly queueName?: string;
  readonly scheduleId?: string;
}

/** A message that is neither delivered nor dead-lettered. */
export interface MessageRecord extends MessageTarget {
  readonly id: string;
  /** Its number in the order of acceptance. */
  readonly sequence: number;
  readonly kind: "message" | "callback" | "failure_callback";
  readonly config: MessageConfig;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly createdAtMs: number;
  readonly notBeforeMs: number;
  /** Hashes in place of redacted parts: of the body by "", of headers by their names. */
  readonly redacted: ReadonlyMap<string, string>;
  /** Its queue position; shared with its callbacks. */
  readonly slot: QueueSlot | null;
  retried: number;
  state: "waiting" | "active" | "cancelled";
  /** Whether a fault has been chosen for the coming attempt. */
  faultChosen: boolean;
  /** Removes it from the agenda. */
  unschedule: () => void;
}

/** A position in a queue. It is released when the message and its callbacks have all finished. */
export interface QueueSlot {
  readonly queueName: string;
  readonly sequence: number;
  holders: number;
  admitted: boolean;
}

/** A dead-lettered message. */
export interface DlqRecord {
  readonly dlqId: string;
  readonly message: MessageRecord;
  readonly failedAtMs: number;
  readonly result: AttemptResult;
}

/** The result of an attempt. */
export interface AttemptResult {
  /** 0 if there was no answer. */
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer>;
  /** Why there was no answer. */
  readonly error?: string;
}

/** A queue. */
export interface QueueRecord {
  readonly name: string;
  readonly createdAtMs: number;
  updatedAtMs: number;
  parallelism: number;
  paused: boolean;
}

/** A URL group. */
export interface UrlGroupRecord {
  readonly name: string;
  readonly createdAtMs: number;
  updatedAtMs: number;
  readonly endpoints: { url: string; name?: string }[];
  /** Default headers of its messages. */
  headers: ReadonlyMap<string, string>;
}

/** A schedule. */
export interface ScheduleRecord {
  readonly id: string;
  readonly cron: string;
  readonly destination: string;
  readonly queueName?: string;
  readonly config: MessageConfig;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly createdAtMs: number;
  readonly redacted: ReadonlyMap<string, string>;
  paused: boolean;
  lastMs?: number;
  nextMs?: number;
  readonly lastStates: Map<string, "IN_PROGRESS" | "SUCCESS" | "FAIL">;
  unschedule: () => void;
}

/** The states of a message, as events name them. */
export type QstashState =
  | "CREATED"
  | "ACTIVE"
  | "RETRY"
  | "ERROR"
  | "DELIVERED"
  | "FAILED"
  | "CANCEL_REQUESTED"
  | "CANCELED"
  | "CANCELLED";

/** An event of a message. */
export interface EventRecord {
  readonly sequence: number;
  readonly timeMs: number;
  readonly state: QstashState;
  readonly message: MessageRecord;
  readonly nextDeliveryMs?: number;
  readonly result?: AttemptResult;
}
