/**
 * The interface of a bus, which `createBus` returns.
 *
 * @module
 */
import type { Health, HealthOptions } from "./health.ts";
import type { BodyInput, Contract, ReplyInput } from "../../core/message/contract.ts";
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { CheckAnswer } from "../../core/lifecycle/check_back.ts";
import type { Store } from "../../core/ports/store.ts";
import type { CheckQuestion } from "../../core/ports/fence.ts";
import type { Receiver } from "../../core/ports/transport.ts";
import type { HalfKeeper, HalfStatus } from "../../core/ports/half_keeper.ts";
import type { HalfMessage, HalfOutcome } from "./half_message.ts";
import type { Cancellation } from "./cancellation.ts";
import type { PublishOptions } from "./publish_options.ts";
import type { Receipt } from "./publish_options.ts";
import type { RawMessage, RawOptions } from "./raw_message.ts";
import type { Handler, SubscribeOptions } from "./subscriber.ts";
import type { TickReport } from "./tick_report.ts";
import type { DeadLetter, DeadLetterStanding } from "./dead_letter.ts";

/** How a half message is prepared; see {@linkcode PublishOptions}. */
export type HalfMessageOptions<Reply = never> = Omit<PublishOptions<unknown, Reply>, "tx">;

/** Who decided by hand, and why. */
export interface HandDecision {
  /** Who decided. */
  readonly by: string;
  /** Why. */
  readonly reason: string;
  /**
   * Whether to decide without the participant, which could not be reached in the last hour of asking: its
   * first check in a row without an answer is an hour ago or more, and it does not answer now either. The
   * record says so, and a later contrary outcome is the event `contradicted`.
   *
   * @default false
   */
  readonly force?: boolean;
}

/** Reliable messages for one service. */
export interface Bus<Tx = unknown, BusinessTx = unknown> extends Receiver {
  /** The store it was made with, to look at messages. */
  readonly store: Store<Tx>;

  /**
   * Publishes a message. With `tx` it exists if and only if that transaction commits; without, it is
   * durable when the promise resolves. A transport that fails does not fail the publish.
   *
   * @throws {ContractError} When the body does not fit the contract.
   * @throws {AtlastError} `no_route`, `too_large`, `invalid_header`, `invalid_id`, `invalid_option`,
   * `id_conflict`, `stopped`, or `not_migrated` within a `tx`.
   * @throws {OutcomeUnknown} When the store did not answer: to publish again with its `ids` is safe.
   */
  publish<C extends Contract>(
    contract: C,
    body: BodyInput<C>,
    options?: PublishOptions<Tx, ReplyInput<C>>,
  ): Promise<Receipt>;

  /** Publishes many messages of one contract in one statement: all of them, or none. */
  publishMany<C extends Contract>(
    contract: C,
    bodies: readonly BodyInput<C>[],
    options?: Omit<PublishOptions<Tx, ReplyInput<C>>, "id"> & { readonly ids?: readonly string[] },
  ): Promise<Receipt[]>;

  /**
   * Publishes a message whose body is encoded already, byte for byte, such as one that another service
   * wrote. Its body is checked only where a contract is given.
   *
   * @throws {ContractError} When the body does not fit the contract.
   * @throws {AtlastError} As {@linkcode Bus.publish}, and `invalid_name`.
   */
  publishRaw(message: RawMessage, options?: RawOptions<Tx>): Promise<Receipt>;

  /**
   * Subscribes a handler to a running or resting bus.
   *
   * @throws {AtlastError} `duplicate_subscriber`, `invalid_name` or `invalid_option`.
   */
  subscribe<C extends Contract>(
    contract: C,
    options: SubscribeOptions,
    handler: Handler<C, Tx>,
  ): void;

  /**
   * Runs business work in a transaction of the store; what it publishes with `tx` is sent once it commits.
   *
   * @throws {AtlastError} On Postgres `connection_lost` when nothing is committed, `outcome_unknown` when no answer
   * to the commit came.
   */
  transaction<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result>;

  /**
   * Sends what is due now and waits for it, for processes without loops: call it after the transaction
   * of a publish has committed, for instance in `waitUntil`.
   */
  flush(options?: { readonly budgetMs?: number }): Promise<void>;

  /** Does all background work that is due until none is, or the budget (10,000 ms if not given) is spent. */
  tick(options?: { readonly budgetMs?: number }): Promise<TickReport>;

  /** Starts the loops that send, handle and clean up. Resolves when the store is ready. */
  start(): Promise<void>;

  /**
   * Stops: takes no more, finishes what it has begun, gives back what it holds, and closes store and
   * transport. What is not finished after `drainMs` (30,000 if not given) is aborted and given back.
   */
  stop(options?: { readonly drainMs?: number }): Promise<void>;

  /**
   * Stores a half message, for a business operation whose data lives elsewhere than the store. It is
   * sent once its outcome is known to be `committed`. If this throws, the operation must not start. The
   * same `id` again is the same message.
   *
   * @throws {ContractError} When the body does not fit the contract.
   * @throws {AtlastError} As {@linkcode Bus.publish}, and `unsupported` without a fence.
   */
  prepare<C extends Contract>(
    contract: C,
    body: BodyInput<C>,
    options?: HalfMessageOptions<ReplyInput<C>>,
  ): Promise<HalfMessage<BusinessTx>>;

  /**
   * Prepares a half message, runs `work` in a transaction of the business database behind the fence, and
   * brings the outcome. Throws only what {@linkcode Bus.prepare} throws, before `work` has begun; all else is
   * in the outcome.
   */
  transact<C extends Contract, Result>(
    contract: C,
    body: BodyInput<C>,
    work: (tx: BusinessTx) => Promise<Result>,
    options?: HalfMessageOptions<ReplyInput<C>>,
  ): Promise<HalfOutcome<Result>>;

  /** The half messages this bus keeps, for participants that are not this bus. */
  readonly halfMessages: HalfKeeper;

  /**
   * Decides a parked half message by hand; who and why is recorded in its note. The participant is asked first
   * (the fence of this bus for its own messages, its check-back for another's). What it says stands: a decision
   * that contradicts it is refused, forced or not. One that answers without knowing leaves it to you. One that
   * does not answer keeps the message, unless it is forced; see {@linkcode HandDecision.force}.
   *
   * @throws {AtlastError} `not_found`; `wrong_state` when it is not `in_doubt` (or `prepared` with a silent
   * participant and `force`), or the participant says otherwise; `unreachable` when the participant does not
   * answer and the decision cannot be forced; `invalid_option`.
   */
  resolve(id: string, decision: "confirm" | "cancel", by: HandDecision): Promise<HalfStatus>;

  /**
   * Has a parked half message asked about again, with all its checks before it: by a running bus at once, else
   * by the next tick.
   *
   * @throws {AtlastError} `not_found`, or `wrong_state` when it is not `in_doubt`.
   */
  checkAgain(id: string): Promise<HalfStatus>;

  /**
   * Answers for the participant: what became of the operation of a half message. Writes `aborted` where there
   * is nothing, so that the answer stays true. A question that comes within the immunity of this bus (option
   * `check`), counted from when the message was prepared, is answered `unknown`, and nothing is written.
   *
   * @throws {AtlastError} `unsupported` when this bus has no fence.
   */
  checkBack(question: CheckQuestion): Promise<CheckAnswer>;

  /**
   * Withdraws a message that was not sent. `too_late` is the answer for one that is being sent, was sent, or may
   * have arrived: an attempt to send it got no answer, or a worker that had claimed it never came back.
   *
   * @throws {AtlastError} `not_found`, or `wrong_state` for a half message that is undecided, or was confirmed and
   * waits to be sent: its operation took place.
   */
  cancel(id: string): Promise<Cancellation>;

  /**
   * Has a failed message tried again from the start. With `force` receivers take a message of the outbox although they
   * may have forgotten that they had it (`too_old_to_deduplicate`): its effect may happen twice.
   *
   * @throws {AtlastError} `not_found`, `wrong_state` for one that is not failed, `invalid_option` for `force` in the
   * inbox.
   */
  retry(
    message: { readonly box: Box; readonly id: string; readonly group?: string },
    options?: { readonly force?: boolean },
  ): Promise<void>;

  /**
   * Learns that a message this bus has sent was given up by the push provider that had taken it, and keeps it
   * as failed with the reason; its failure callback is published. Safe to say many times.
   */
  deadLetter(report: DeadLetter): Promise<DeadLetterStanding>;

  /** How the bus stands. */
  health(options?: HealthOptions): Promise<Health>;
}
