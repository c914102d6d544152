/**
 * The transport that sends messages through QStash.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import { HEADER } from "../../core/message/headers.ts";
import { inParallel } from "../../http/request_pool.ts";
import { isObject } from "../../core/json.ts";
import {
  bodyBytes,
  copyOfMessage,
  type Message,
  type MessageHeaders,
} from "../../core/message/message.ts";
import type { PatternTable } from "../../core/message/name_table.ts";
import type { AbortSignalLike, Clock } from "../../core/ports/platform.ts";
import type { SendResult, Transport } from "../../core/ports/transport.ts";
import { DEFAULT_RETRY } from "../../core/lifecycle/retry.ts";
import { failed, limitReached, notTaken, takenOf, type Trouble, troubleOf } from "./answer.ts";
import { textOfThrown } from "../../core/user_code/thrown.ts";
import { clientOf, type QstashClient } from "./client.ts";
import { checkChoices, checkTransportOptions, type QstashTransportOptions } from "./options.ts";
import {
  halved,
  type Job,
  type RequestBatch,
  requestBatches,
  type RequestLimits,
} from "./request_batch.ts";
import { type Waited, waited } from "./time_limit.ts";
import { type QstashRequest, type RequestForm, requestOf } from "./request.ts";
import { retriesFor, retryExpression } from "./retry_expression.ts";
import { deliverableUrl, type QstashTarget, routeTable } from "./routes.ts";
import { SentProof } from "./sent_proof.ts";

/** The default of `maxMessageBytes`: the limit of the free plan, which every plan allows. */
const DEFAULT_MESSAGE_BYTES = 1024 * 1024;
/** The default of `maxRequestBytes`: far below QStash's limit, so that a request does not take long. */
const DEFAULT_REQUEST_BYTES = 8 * 1024 * 1024;
/** The default of `timeoutMs`: well within a bus's lease. */
const DEFAULT_TIMEOUT_MS = 15_000;
/** The default of `maxBatch`. */
const DEFAULT_MAX_BATCH = 100;

/** A transport that sends messages through QStash. */
export interface QstashTransport extends Transport {
  /**
   * Delivers a dead-lettered message again, by its id in the DLQ, and returns its new QStash message id. For
   * a message that is still in the outbox use `bus.retry()`, so that it does not stay there as failed.
   *
   * @throws {AtlastError} `not_found` when the DLQ has none with this id, `unreachable`.
   */
  retryFromDlq(dlqId: string): Promise<string>;
}

/**
 * A transport that sends messages to QStash, which delivers them to the edge apps of their subscribers.
 *
 * A message counts as sent when QStash has accepted it. QStash tries until the subscriber's own policy ends,
 * and with the option `failureCallback` it reports dead-lettered messages here.
 *
 * @example
 * ```ts ignore
 * const transport = qstashTransport({
 *   token: env.QSTASH_TOKEN,
 *   routes: { "order.*": "https://inventory.example/deliver" },
 *   failureCallback: "https://orders.example/dead-letter",
 * });
 * ```
 * @throws {AtlastError} `invalid_option` or `invalid_name`.
 */
export function qstashTransport(options: QstashTransportOptions): QstashTransport {
  return new OnQstash(options);
}

/** One call of `send`. */
interface Call {
  readonly signal: AbortSignalLike;
  readonly results: Map<number, SendResult>;
  /** Messages that QStash already has, by its own ids. */
  readonly duplicates: { readonly index: number; readonly messageIds: readonly string[] }[];
  /** Why no further request is made. */
  end: SendResult | null;
}

class OnQstash implements QstashTransport {
  readonly capabilities: Transport["capabilities"];
  readonly #client: QstashClient;
  readonly #routes: PatternTable<QstashTarget>;
  readonly #form: RequestForm;
  readonly #proof: SentProof;
  readonly #options: QstashTransportOptions;
  readonly #limits: RequestLimits;
  readonly #maxMessageBytes: number;
  readonly #timeoutMs: number;
  readonly #clock: Pick<Clock, "now">;
  /** The limit that is reached. No request is made before its reset. */
  #closed: { readonly reason: string; readonly untilMs: number } | null = null;

  constructor(options: QstashTransportOptions) {
    checkTransportOptions(options);
    const { maxBatch = DEFAULT_MAX_BATCH, format = "message", retry = DEFAULT_RETRY } = options;
    const { maxMessageBytes = DEFAULT_MESSAGE_BYTES, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    const { maxRequestBytes = DEFAULT_REQUEST_BYTES } = options;
    const { answerTimeoutS, failureCallback } = options;
    this.#options = options;
    this.#client = clientOf(options);
    this.#proof = new SentProof(options.failureCallbackKeys, options.token);
    this.#routes = routeTable(options.routes);
    this.#limits = { maxBatch, maxRequestBytes };
    this.#maxMessageBytes = maxMessageBytes;
    this.#timeoutMs = timeoutMs;
    this.#clock = options.clock ?? { now: () => Date.now() };
    this.#form = {
      format,
      retries: retriesFor(retry),
      retryDelay: retryExpression(retry),
      ...(answerTimeoutS === undefined ? {} : { timeout: answerTimeoutS }),
      ...(failureCallback === undefined
        ? {}
        : { failureCallback: deliverableUrl(failureCallback, "the option failureCallback") }),
    };
    this.capabilities = { maxBatch: this.#limits.maxBatch, maxBodyBytes: this.#maxMessageBytes };
  }

  routes(name: string, headers: MessageHeaders = {}): boolean {
    return this.#targetOf(name, headers) !== undefined;
  }

  async send(messages: readonly Message[], signal: AbortSignalLike): Promise<SendResult[]> {
    const call: Call = { signal, results: new Map(), duplicates: [], end: null };
    const jobs: Job[] = [];
    for (const [index, message] of messages.entries()) {
      const request = await this.#requestOf(message);
      if ("kind" in request) call.results.set(index, request);
      else jobs.push({ index, request });
    }
    await inParallel(
      requestBatches(jobs, this.#limits).map((batch) => () => this.#send(batch, call)),
    );
    await inParallel(call.duplicates.map((duplicate) => () => this.#revive(duplicate, call)));
    return messages.map((_, index) =>
      call.results.get(index) ?? notTaken(failed("QStash was not asked", true))
    );
  }

  async retryFromDlq(dlqId: string): Promise<string> {
    const response = await this.#request(() => this.#client.dlq.retry([dlqId] as never), null);
    if (response.kind === "answered") {
      const answers = isObject(response.result) ? response.result["responses"] : undefined;
      const [first] = Array.isArray(answers) ? answers : [];
      if (isObject(first) && typeof first["messageId"] === "string") return first["messageId"];
    } else if (
      !(response.kind === "threw" && isObject(response.error) && response.error["status"] === 404)
    ) {
      const { reason } = this.#troubleOf(response).result;
      throw new AtlastError("unreachable", `Cannot retry a message of the DLQ: ${reason}`);
    }
    throw new AtlastError(
      "not_found",
      "Cannot retry a message of the DLQ: it has none with this id",
    );
  }

  provesSent(message: Message, proof: string): Promise<boolean> {
    return this.#proof.matches(message, proof);
  }

  /** Nothing is kept open between calls. */
  async close(): Promise<void> {}

  /** A destination is for notifications with a list of delays that QStash does not support. */
  #targetOf(name: string, headers: MessageHeaders): QstashTarget | undefined {
    return headers[HEADER.destination] === undefined ? this.#routes.find(name) : undefined;
  }

  async #requestOf(message: Message): Promise<QstashRequest | SendResult> {
    const target = this.#targetOf(message.name, message.headers);
    if (target === undefined) {
      return { kind: "unroutable", reason: `No route of QStash's matches "${message.name}"` };
    }
    const { delayMs, notBeforeMs, labels, flowControl, choose } = this.#options;
    const common = Object.entries({ delayMs, notBeforeMs, labels, flowControl })
      .filter(([, value]) => value !== undefined);
    const choices = { ...Object.fromEntries(common), ...choose?.(copyOfMessage(message)) };
    try {
      checkChoices(choices);
    } catch (error) {
      const { message: problem } = textOfThrown(error);
      return notTaken(failed(`Its options for QStash are not valid: ${problem}`, false));
    }
    // JSON can make a body six times as long; the form of headers and body never makes it longer.
    let bytes = 0;
    const proof = this.#form.failureCallback === undefined ? null : await this.#proof.of(message);
    for (const format of new Set([this.#form.format, "message"] as const)) {
      const form = { ...this.#form, format };
      const request = await requestOf(message, target, form, choices, proof);
      bytes = bodyBytes(request.body);
      if (bytes <= this.#maxMessageBytes) return request;
    }
    const problem = `Cannot send ${bytes} bytes: want ${this.#maxMessageBytes} at most`;
    return notTaken(failed(problem, false));
  }

  async #send(batch: RequestBatch, call: Call): Promise<void> {
    const { jobs, isBatch } = batch;
    const fail = (result: SendResult) => {
      for (const { index } of jobs) call.results.set(index, result);
    };
    const end = call.end ?? this.#limitOf();
    if (end !== null) return fail(end);
    const requests = jobs.map(({ request }) => request);
    const response = await this.#request(
      async () =>
        isBatch
          ? await this.#client.batch(requests as never)
          : [await this.#client.publish(requests[0] as never)],
      call.signal,
    );
    if (response.kind === "answered") return this.#settle(jobs, response.result, call);
    const trouble = this.#troubleOf(response);
    const smaller = trouble.mayBeOne ? halved(batch) : null;
    if (smaller !== null) {
      await this.#send(smaller[0], call);
      return await this.#send(smaller[1], call);
    }
    // Otherwise a silent server would cost a timeout for each batch, and the leases would expire.
    if (response.kind !== "threw") call.end = notTaken(trouble.result);
    if (trouble.closedUntilMs !== undefined) {
      this.#closed = { reason: trouble.result.reason, untilMs: trouble.closedUntilMs };
    }
    fail(trouble.result);
  }

  #settle(jobs: readonly Job[], answers: readonly unknown[], call: Call): void {
    // For a single URL group QStash may leave out the outer list.
    const each = jobs.length === 1 && answers.length !== 1 ? [answers] : answers;
    jobs.forEach(({ index }, i) => {
      const taken = takenOf(each.length === jobs.length ? each[i] : undefined);
      call.results.set(index, taken.kind === "taken" ? { kind: "sent" } : taken.result);
      if (taken.kind === "taken" && taken.duplicates.length > 0) {
        call.duplicates.push({ index, messageIds: taken.duplicates });
      }
    });
  }

  /**
   * If QStash already has it, either it was sent before and only the answer was lost, or it was dead-lettered
   * since and an operator retries it. In the second case it is in the DLQ, and QStash delivers it only after
   * it is removed from there.
   */
  async #revive(
    { index, messageIds }: Call["duplicates"][number],
    call: Call,
  ): Promise<void> {
    const { dlq } = this.#client;
    for (const messageId of messageIds) {
      const response = await this.#request(async () => {
        const { messages } = await dlq.listMessages({ filter: { messageId } } as never);
        const dlqIds = messages.map(({ dlqId }) => dlqId);
        if (dlqIds.length > 0) await dlq.retry(dlqIds as never);
      }, call.signal);
      if (response.kind !== "answered") call.results.set(index, this.#troubleOf(response).result);
    }
  }

  #limitOf(): SendResult | null {
    if (this.#closed === null) return null;
    const waitMs = this.#closed.untilMs - this.#clock.now();
    return waitMs > 0 ? limitReached(this.#closed.reason, waitMs) : null;
  }

  #request<Result>(
    work: () => Promise<Result>,
    signal: AbortSignalLike | null,
  ): Promise<Waited<Result>> {
    return waited(work, this.#timeoutMs, signal);
  }

  #troubleOf(response: Exclude<Waited<unknown>, { kind: "answered" }>): Trouble {
    switch (response.kind) {
      case "threw":
        return troubleOf(response.error, this.#clock.now());
      case "timed_out":
        return { result: failed("QStash did not answer in time", true), mayBeOne: false };
      case "stopped":
        return { result: failed("The bus stopped before QStash answered", true), mayBeOne: false };
    }
  }
}
