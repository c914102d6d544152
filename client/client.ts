/**
 * The client of half messages, for a service that has no bus.
 *
 * @module
 */
import type { ClientOptions } from "./client_options.ts";
import type { HalfMessageOptions } from "../bus/api/bus.ts";
import { checkPublish } from "../bus/publish/check_publish.ts";
import { compose, headersOf } from "../bus/publish/build_message.ts";
import { FENCE_RETENTION_MS, pruneFence } from "../bus/half/prune_fence.ts";
import type { HalfDraft, HalfKeeper, HalfStatus } from "../core/ports/half_keeper.ts";
import { type HalfParts, prepareHalf, transactHalf } from "../bus/half/participant.ts";
import type { HalfMessage, HalfOutcome } from "../bus/api/half_message.ts";
import { checkWork } from "../bus/settings/call_options.ts";
import { checkId } from "../core/message/id.ts";
import { idSource } from "../bus/settings/ids.ts";
import { SYSTEM_CLOCK } from "../bus/settings/system_clock.ts";
import type { BodyInput, Contract, ReplyInput } from "../core/message/contract.ts";
import { MAX_BODY_BYTES } from "../core/message/message.ts";
import type { Clock } from "../core/ports/platform.ts";
import type { Fence } from "../core/ports/fence.ts";
import { HttpKeeper } from "./http_keeper.ts";
import { callingOf } from "./options.ts";

/** Prepares half messages that another service keeps. */
export interface Client<BusinessTx = unknown> {
  /**
   * Stores a half message at the keeper. The message is sent once the operation is known to be
   * `committed`. If this throws, the operation must not start. A second call with the same `id`
   * refers to the same message.
   *
   * @throws {ContractError} When the body does not fit the contract.
   * @throws {AtlastError} `no_route`, `too_large`, `invalid_header`, `invalid_id`,
   * `invalid_option`, `id_conflict`, `unauthenticated`, `forbidden`, or `unreachable` when the
   * keeper did not answer. It may have stored the message, and a check-back will cancel it.
   */
  prepare<C extends Contract>(
    contract: C,
    body: BodyInput<C>,
    options?: HalfMessageOptions<ReplyInput<C>>,
  ): Promise<HalfMessage<BusinessTx>>;

  /**
   * Prepares a half message, runs `work` in a transaction of the business database behind the
   * fence, and sends the outcome to the keeper. It throws only the errors of
   * {@linkcode Client.prepare}, before `work` has begun. Later errors are in the result.
   */
  transact<C extends Contract, Result>(
    contract: C,
    body: BodyInput<C>,
    work: (tx: BusinessTx) => Promise<Result>,
    options?: HalfMessageOptions<ReplyInput<C>>,
  ): Promise<HalfOutcome<Result>>;

  /**
   * The status of a half message; null when the keeper does not have it, or no longer has it.
   *
   * @throws {AtlastError} `unreachable`, `unauthenticated` or `forbidden`.
   */
  query(id: string): Promise<HalfStatus | null>;

  /**
   * Deletes rows of the fence that no half message needs any more, and returns how many. Call it
   * regularly, for example once a day.
   *
   * @throws {AtlastError} `unreachable`, `unauthenticated` or `forbidden`; the next call continues.
   */
  prune(): Promise<number>;
}

/**
 * Creates a client. The service that uses it must answer check-backs, with `createCheckBackApp` of
 * `@atlast/bus/edge` and the same fence.
 *
 * @example
 * ```ts ignore
 * const client = createClient({ url, signingKeys: [key], participant: "payments", fence });
 * const { outcome } = await client.transact(PaymentMade, { paymentId }, async (tx) => {
 *   await tx`insert into payments …`;
 * });
 * ```
 * @throws {AtlastError} `invalid_option`.
 */
export function createClient<BusinessTx>(
  options: ClientOptions<BusinessTx>,
): Client<BusinessTx> {
  return new HttpClient(options);
}

class HttpClient<BusinessTx> implements Client<BusinessTx> {
  readonly #parts: HalfParts<BusinessTx>;
  readonly #keeper: HalfKeeper;
  readonly #fence: Fence<BusinessTx>;
  readonly #clock: Clock;
  readonly #participant: string;
  readonly #newId = idSource();

  constructor(options: ClientOptions<BusinessTx>) {
    this.#keeper = new HttpKeeper(callingOf(options));
    this.#clock = options.clock ?? SYSTEM_CLOCK;
    this.#fence = options.fence;
    this.#participant = options.participant;
    this.#parts = { keeper: this.#keeper, fence: options.fence, clock: this.#clock };
  }

  async prepare<C extends Contract>(
    contract: C,
    body: BodyInput<C>,
    options: HalfMessageOptions<ReplyInput<C>> = {},
  ): Promise<HalfMessage<BusinessTx>> {
    const draft = await this.#draft(contract, body, options);
    // Make the fence ready first: without it, the outcome of an operation could never be found out.
    await this.#fence.ready();
    return await prepareHalf(this.#parts, draft);
  }

  async transact<C extends Contract, Result>(
    contract: C,
    body: BodyInput<C>,
    work: (tx: BusinessTx) => Promise<Result>,
    options: HalfMessageOptions<ReplyInput<C>> = {},
  ): Promise<HalfOutcome<Result>> {
    checkWork(work, "begin an operation with");
    return await transactHalf(this.#parts, await this.prepare(contract, body, options), work);
  }

  async query(id: string): Promise<HalfStatus | null> {
    checkId(id);
    return await this.#keeper.query(id);
  }

  async prune(): Promise<number> {
    await this.#fence.ready();
    const beforeMs = this.#clock.now() - FENCE_RETENTION_MS;
    return await pruneFence(this.#fence as Fence, this.#keeper, beforeMs);
  }

  /** Creates the id before the first request, so that each repetition has the same id. */
  async #draft(contract: Contract, body: unknown, options: HalfMessageOptions): Promise<HalfDraft> {
    checkPublish(contract, options, "prepare");
    const nowMs = this.#clock.now();
    const draft = {
      id: options.id ?? this.#newId(nowMs),
      name: contract.name,
      body,
      headers: headersOf(options),
    };
    const bounds = { nowMs, maxBodyBytes: MAX_BODY_BYTES, participant: this.#participant };
    const { message, deadlineMs, retry } = await compose(draft, contract, options, bounds);
    return { message, deadlineMs, retry };
  }
}
