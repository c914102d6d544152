/**
 * Publishes without a store: sends the message at once, or the publish fails. The stateless
 * receiver uses it.
 *
 * @module
 */
import type { Contract } from "../../core/message/contract.ts";
import { AtlastError, NonRetryable, SendDelayed } from "../../core/errors.ts";
import { checkBodySize, MAX_BODY_BYTES, type Message } from "../../core/message/message.ts";
import type { Clock } from "../../core/ports/platform.ts";
import type { Transport } from "../../core/ports/transport.ts";
import { sendResultAt } from "../settings/check_answers.ts";
import { checkPublish } from "../publish/check_publish.ts";
import { compose, headersOf, mustRoute } from "../publish/build_message.ts";
import type { HandlerPublisher } from "./handler_context.ts";
import { idSource } from "../settings/ids.ts";
import type { PublishOptions } from "../api/publish_options.ts";
import type { Receipt } from "../api/publish_options.ts";

/** Sends published messages and stores nothing. */
export class DirectPublisher implements HandlerPublisher<undefined> {
  readonly #transport: Transport | undefined;
  readonly #clock: Clock;
  readonly #newId = idSource();
  /** The largest body, in bytes. */
  readonly maxBodyBytes: number;

  /** Creates a publisher; without a transport it cannot send. */
  constructor(transport: Transport | undefined, clock: Clock) {
    this.#transport = transport;
    this.#clock = clock;
    this.maxBodyBytes = Math.min(
      MAX_BODY_BYTES,
      transport?.capabilities.maxBodyBytes ?? MAX_BODY_BYTES,
    );
  }

  /** Whether there is a transport. */
  get canSend(): boolean {
    return this.#transport !== undefined;
  }

  /** See `HandlerContext.publish`. */
  async publish(
    contract: Contract,
    body: unknown,
    options: PublishOptions<undefined>,
  ): Promise<Receipt> {
    checkPublish(contract, options, "publish");
    const nowMs = this.#clock.now();
    const { id = this.#newId(nowMs), tx, delayMs, deadlineMs, retry } = options;
    if ([tx, delayMs, deadlineMs, retry].some((option) => option !== undefined)) {
      throw new AtlastError(
        "unsupported",
        `Cannot publish "${contract.name}" with tx, delayMs, deadlineMs or retry: there is no store`,
      );
    }
    const draft = { id, name: contract.name, body, headers: headersOf(options) };
    const bounds = { nowMs, maxBodyBytes: this.maxBodyBytes };
    const { message } = await compose(draft, contract, options, bounds);
    await this.send(message);
    return { id, duplicate: false };
  }

  /** Sends a message, and throws when it does not arrive, because it cannot be stored. */
  async send(message: Message): Promise<void> {
    const { name, headers } = message;
    const transport = this.#transport;
    if (transport === undefined) {
      throw new AtlastError("no_route", `Cannot send "${name}": want a transport in the options`);
    }
    mustRoute(transport, "send", name, headers);
    checkBodySize(message.body, this.maxBodyBytes);
    const results = await transport.send([message], new AbortController().signal);
    const result = sendResultAt(results, 0);
    if (result?.kind === "sent") return;
    const reason = `Cannot send "${name}": ${result?.reason ?? "the transport gave no answer"}`;
    if (result?.kind !== "failed") throw new AtlastError("no_route", reason);
    if (result.code === "id_conflict") throw new AtlastError("id_conflict", reason);
    if (!result.retryable) throw new NonRetryable(reason);
    const { retryAfterMs, delayedBy } = result;
    if (retryAfterMs !== undefined || delayedBy !== undefined) {
      throw new SendDelayed(reason, retryAfterMs ?? 0, delayedBy);
    }
    throw new AtlastError("unreachable", reason);
  }
}
