/**
 * What a bus offers for half messages, on both sides.
 *
 * @module
 */
import type { CheckAnswer } from "../checkback.ts";
import type { Contract } from "../contract.ts";
import { AtlastError } from "../errors.ts";
import type { CheckQuestion, Fence } from "../ports.ts";
import { askFence } from "./ask_fence.ts";
import type { HalfOptions, HandDecision } from "./bus.ts";
import type { HalfDraft, HalfStatus, OutboxKeeper } from "./half_keeper.ts";
import {
  type HalfMessage,
  type HalfOutcome,
  type HalfParts,
  prepareHalf,
  transactHalf,
} from "./half_message.ts";
import type { Settings } from "./options.ts";
import type { Publisher } from "./publisher.ts";

/** Half messages of one bus. */
export class HalfOperations<Tx, BusinessTx> {
  readonly #settings: Settings<Tx>;
  readonly #publisher: Publisher<Tx>;
  readonly #keeper: OutboxKeeper<Tx>;
  readonly #parts: HalfParts<BusinessTx>;

  constructor(settings: Settings<Tx>, publisher: Publisher<Tx>, keeper: OutboxKeeper<Tx>) {
    const fence = settings.fence as Fence<BusinessTx> | undefined;
    this.#settings = settings;
    this.#publisher = publisher;
    this.#keeper = keeper;
    this.#parts = { keeper, fence, clock: settings.clock };
  }

  /** See `Bus.prepare`. */
  async prepare(
    contract: Contract,
    body: unknown,
    options: HalfOptions,
  ): Promise<HalfMessage<BusinessTx>> {
    // The fence first: an operation that starts without one could never be asked about.
    await this.#fence().ready();
    return await prepareHalf(this.#parts, await this.#draft(contract, body, options));
  }

  /** See `Bus.transact`. */
  async transact<Result>(
    contract: Contract,
    body: unknown,
    work: (tx: BusinessTx) => Promise<Result>,
    options: HalfOptions,
  ): Promise<HalfOutcome<Result>> {
    return await transactHalf(this.#parts, await this.prepare(contract, body, options), work);
  }

  /** See `Bus.checkBack`. */
  async checkBack(question: CheckQuestion): Promise<CheckAnswer> {
    const { clock, checkTimeoutMs } = this.#settings;
    return await askFence(this.#fence() as Fence, question, clock, checkTimeoutMs);
  }

  /** See `Bus.resolve`. */
  async resolve(
    id: string,
    decision: "confirm" | "cancel",
    { by, reason }: HandDecision,
  ): Promise<HalfStatus> {
    const status = await this.#keeper.query(id);
    if (status?.state !== "in_doubt") {
      throw new AtlastError(
        status === null ? "not_found" : "wrong_state",
        `Cannot ${decision} half message "${id}" by hand: got ` +
          `${
            status === null ? "none with this id" : `one that is ${status.state}`
          }, want one in_doubt`,
      );
    }
    await this.#mustNotContradict(status, decision);
    return await this.#keeper.decide(
      id,
      decision,
      `${decision === "confirm" ? "Confirmed" : "Cancelled"} by ${by}: ${reason}`,
    );
  }

  /** An operator can be wrong about what the fence knows for certain. */
  async #mustNotContradict(
    { id, name }: HalfStatus,
    decision: "confirm" | "cancel",
  ): Promise<void> {
    if (this.#settings.fence === undefined) return;
    const answer = await this.checkBack({ id, name, epoch: 0 }).catch((): CheckAnswer =>
      "unreachable"
    );
    const contrary = decision === "confirm" ? "aborted" : "committed";
    if (answer === contrary) {
      throw new AtlastError(
        "wrong_state",
        `Cannot ${decision} half message "${id}" by hand: the fence says that its operation is ${answer}`,
      );
    }
  }

  async #draft(contract: Contract, body: unknown, options: HalfOptions): Promise<HalfDraft> {
    const record = await this.#publisher.compose(contract, body, options);
    return { message: record.message, deadlineMs: record.deadlineMs, retry: record.retry };
  }

  #fence(): Fence<BusinessTx> {
    if (this.#parts.fence !== undefined) return this.#parts.fence;
    throw new AtlastError(
      "unsupported",
      "Cannot do without a fence: want one in the options of the bus, in the business database",
    );
  }
}
