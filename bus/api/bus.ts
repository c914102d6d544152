/**
 * The interface of a bus, which `createBus` returns.
 *
 * @module
 */
import type { Health, HealthOptions } from "./health.ts";
import type { BodyInput, Contract, ReplyInput } from "../../core/message/contract.ts";
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { CheckAnswer } from "../../core/lifecycle/check_back.ts";
import type { SqlClient } from "../../core/ports/platform.ts";
import type { Store } from "../../core/ports/store.ts";
import type { CheckQuestion } from "../../core/ports/fence.ts";
import type { Receiver } from "../../core/ports/transport.ts";
import type { HalfKeeper, HalfStatus } from "../../core/ports/half_keeper.ts";
import type { HalfMessage, HalfOutcome } from "./half_message.ts";
import type { Move, Moved, Orphans } from "./orphans.ts";
import type { Cancellation } from "./cancellation.ts";
import type { PublishOptions } from "./publish_options.ts";
import type { Receipt } from "./publish_options.ts";
import type { RawMessage, RawOptions } from "./raw_message.ts";
import type { Handler, SubscribeOptions } from "./subscriber.ts";
import type { TickReport } from "./tick_report.ts";
import type { DeadLetter, DeadLetterStanding } from "./dead_letter.ts";

/** The options of a half message; see {@linkcode PublishOptions}. */
export type HalfMessageOptions<Reply = never> = Omit<PublishOptions<unknown, Reply>, "tx">;

/** A message of this bus. */
export interface WhichMessage {
  /** Its box. */
  readonly box: Box;
  /** Its id. */
  readonly id: string;
  /**
   * The group that handles it; required in the inbox.
   *
   * @default the empty string, which is the group of the outbox
   */
  readonly group?: string;
}

/** Who decides a half message by hand, and why. */
export interface HandDecision {
  /** Who decides. */
  readonly by: string;
  /** Why. */
  readonly reason: string;
  /**
   * Whether to decide without the participant. This is allowed only if the participant does not
   * answer now and has not answered any check for at least an hour. The record notes it. A later
   * contrary outcome is reported as the event `contradicted`.
   *
   * @default false
   */
  readonly force?: boolean;
}

/** The bus of one service: publishes messages, receives them and runs their handlers. */
export interface Bus<Tx = unknown, BusinessTx = unknown> extends Receiver {
  /** The store of the bus, to look at messages. */
  readonly store: Store<Tx>;

  /**
   * Publishes a message. With `tx`, the message exists if and only if that transaction commits.
   * Without it, the message is durable when the promise resolves. A failing transport does not fail
   * the publish.
   *
   * @throws {ContractError} When the body does not fit the contract.
   * @throws {AtlastError} `no_route`, `too_large`, `invalid_header`, `invalid_id`, `invalid_option`,
   * `id_conflict`, `stopped`, or `not_migrated` within a `tx`.
   * @throws {OutcomeUnknown} When the store did not answer. Publishing again with its `ids` is
   * safe.
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
   * Publishes a message whose body is already encoded, byte for byte, such as one that another
   * service wrote. The body is validated only if a contract is given.
   *
   * @throws {ContractError} When the body does not fit the contract.
   * @throws {AtlastError} As {@linkcode Bus.publish}, and `invalid_name`.
   */
  publishRaw(message: RawMessage, options?: RawOptions<Tx>): Promise<Receipt>;

  /**
   * Adds a subscriber. The bus may be running or not.
   *
   * @throws {AtlastError} `duplicate_subscriber`, `invalid_name` or `invalid_option`.
   */
  subscribe<C extends Contract>(
    contract: C,
    options: SubscribeOptions,
    handler: Handler<C, Tx>,
  ): void;

  /**
   * Runs business work in a transaction of the store. Messages published with `tx` are sent after
   * the commit.
   *
   * @throws {AtlastError} On Postgres `connection_lost` when nothing is committed,
   * `outcome_unknown` when the commit got no answer.
   */
  transaction<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result>;

  /**
   * Sends the messages that are due now, and waits until they are sent. It is for processes that do
   * not call `start()`: call it after the transaction of a publish has committed, for instance in
   * `waitUntil`. On a started bus its loop sends them, and this waits. `budgetMs` limits its time in
   * milliseconds (10,000 by default).
   */
  flush(options?: { readonly budgetMs?: number }): Promise<void>;

  /**
   * Does all due background work, until none is left or the budget of `budgetMs` milliseconds is
   * spent (10,000 by default). A handler that has begun is not interrupted.
   *
   * On a started bus the loops do the work. The tick waits until what was due when it was called is
   * settled, with the handlers of what it sent to this bus, and not for what arrives meanwhile. If
   * the budget is spent before, it resolves and the loops go on.
   */
  tick(options?: { readonly budgetMs?: number }): Promise<TickReport>;

  /** Starts the loops that send, handle, check back and prune. Resolves when the store is ready. */
  start(): Promise<void>;

  /**
   * Stops the bus: it takes no more work, finishes work in flight, releases the other claimed
   * records, and closes store and transport. After `drainMs` milliseconds (30,000 by default),
   * unfinished work is aborted and released. A second call can shorten that time.
   */
  stop(options?: { readonly drainMs?: number }): Promise<void>;

  /**
   * Stores a half message, for a business operation whose data is not in the store. The message is
   * sent once the operation is known to be `committed`. If this throws, the operation must not
   * start. A second call with the same `id` refers to the same message.
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
   * Prepares a half message, runs `work` in a transaction of the business database behind the
   * fence, and settles the message by the outcome. It throws only the errors of
   * {@linkcode Bus.prepare}, before `work` has begun. Later errors are in the result.
   */
  transact<C extends Contract, Result>(
    contract: C,
    body: BodyInput<C>,
    work: (tx: BusinessTx) => Promise<Result>,
    options?: HalfMessageOptions<ReplyInput<C>>,
  ): Promise<HalfOutcome<Result>>;

  /** The keeper of half messages, for participants other than this bus. */
  readonly halfMessages: HalfKeeper;

  /**
   * Decides a parked half message by hand. Its note records who decided and why. The bus first asks
   * the participant: its own fence for its own messages, a check-back for those of others. A
   * decision that contradicts the participant's answer is refused, even with `force`. If the
   * participant answers that it does not know, your decision applies. If it does not answer, the
   * decision is refused unless it is forced; see {@linkcode HandDecision.force}.
   *
   * @throws {AtlastError} `not_found`; `wrong_state` when it is not `in_doubt` (or, with `force`,
   * `prepared` and its participant unreachable), or when the participant's answer contradicts the
   * decision; `unreachable` when the participant does not answer and the decision cannot be forced;
   * `invalid_option`.
   */
  resolve(id: string, decision: "confirm" | "cancel", by: HandDecision): Promise<HalfStatus>;

  /**
   * Schedules new check-backs for a parked half message, with the full number of checks. A running
   * bus starts at once, otherwise the next tick does.
   *
   * @throws {AtlastError} `not_found`, or `wrong_state` when it is not `in_doubt`.
   */
  checkAgain(id: string): Promise<HalfStatus>;

  /**
   * Answers a check-back as the participant: returns the outcome of the operation of a half
   * message. If the fence has no row for it, this writes `aborted`, so that the answer stays true.
   * Within the immunity of this bus (option `check`), which counts from the time the message was
   * prepared, the answer is `unknown` and nothing is written.
   *
   * @throws {AtlastError} `unsupported` when this bus has no fence.
   */
  checkBack(question: CheckQuestion): Promise<CheckAnswer>;

  /**
   * Cancels a message that was not sent. The result is `too_late` if it is being sent, was sent, or
   * may have arrived because an attempt got no answer or a worker that had claimed it never came
   * back.
   *
   * With `tx`, which {@linkcode PublishOptions.tx} describes, the message is cancelled if and only
   * if that transaction commits, and no event is reported. A message that a worker has claimed is
   * `too_late` then, also if that worker has not begun to send it.
   *
   * @throws {AtlastError} `not_found`, or `wrong_state` for a half message that is undecided, or
   * that was confirmed and is not yet sent, because its operation took place; `unsupported` or
   * `no_transaction` for a `tx` that cannot be joined.
   */
  cancel(id: string, options?: { readonly tx?: Tx | SqlClient }): Promise<Cancellation>;

  /**
   * Makes a message due that waits: for its delay, the next attempt, or a route. It is sent or
   * handled at once by a running bus, otherwise by the next tick. Attempts stay counted. Nothing
   * changes if it is due already or being worked on.
   *
   * @param message The id of a message of the outbox, or the box, the id and the group.
   * @throws {AtlastError} `not_found`, or `wrong_state` if it is not scheduled.
   */
  sendNow(message: WhichMessage | string): Promise<void>;

  /**
   * Schedules a failed message again, from its first attempt. With `force`, receivers take a
   * message of the outbox that they would refuse with `too_old_to_deduplicate`, because they may
   * have received it before and pruned its id. Its effect may then happen twice.
   *
   * @throws {AtlastError} `not_found`, `wrong_state` if it is not failed, `invalid_option` for
   * `force` in the inbox.
   */
  retry(
    message: WhichMessage,
    options?: { readonly force?: boolean },
  ): Promise<void>;

  /**
   * Returns the messages of the inbox that nobody handles: due for `orphanAfterMs`, claimed by no
   * worker, and without a subscriber here. Empty on a store that cannot tell.
   */
  orphans(): Promise<readonly Orphans[]>;

  /**
   * Moves waiting messages of the inbox to another group, oldest first, at most `limit` in a call:
   * for a group that was renamed or removed. Each is handled there from its first attempt, and
   * cancelled in its old group. Call it when no worker handles the old group any more.
   *
   * @throws {AtlastError} `invalid_option` or `invalid_name`.
   */
  moveToGroup(move: Move): Promise<Moved>;

  /**
   * Records that the push provider has dead-lettered a message of this bus: the message is marked
   * as failed with the reason, and its failure callback is published. Repeated calls change
   * nothing.
   */
  deadLetter(report: DeadLetter): Promise<DeadLetterStanding>;

  /** Returns whether the bus is ready and its store answers. */
  health(options?: HealthOptions): Promise<Health>;
}
