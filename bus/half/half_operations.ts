/**
 * The half-message operations of a bus, as participant and as keeper. The methods of `Bus` call
 * them.
 *
 * @module
 */
import { type CheckAnswer, isCheckedTooEarly } from "../../core/lifecycle/check_back.ts";
import type { Contract } from "../../core/message/contract.ts";
import { AtlastError } from "../../core/errors.ts";
import type { CheckQuestion, Fence } from "../../core/ports/fence.ts";
import { checkFence } from "./check_fence.ts";
import type { HalfMessageOptions, HandDecision } from "../api/bus.ts";
import type { OutboxKeeper } from "./outbox_keeper.ts";
import type { HalfDraft, HalfStatus } from "../../core/ports/half_keeper.ts";
import { type HalfParts, prepareHalf, transactHalf } from "./participant.ts";
import type { HalfMessage, HalfOutcome } from "../api/half_message.ts";
import type { Settings } from "../settings/settings.ts";
import { namingIds } from "../publish/outcome_unknown.ts";
import type { Publisher } from "../publish/publisher.ts";
import { resolveByHand } from "./resolve_by_hand.ts";

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
    options: HalfMessageOptions,
  ): Promise<HalfMessage<BusinessTx>> {
    // Make the fence ready first: without it, the outcome of an operation could never be found out.
    await this.#fence().ready();
    const draft = await this.#draft(contract, body, options);
    return await namingIds(() => [draft.message.id], () => prepareHalf(this.#parts, draft));
  }

  /** See `Bus.transact`. */
  async transact<Result>(
    contract: Contract,
    body: unknown,
    work: (tx: BusinessTx) => Promise<Result>,
    options: HalfMessageOptions,
  ): Promise<HalfOutcome<Result>> {
    return await transactHalf(this.#parts, await this.prepare(contract, body, options), work);
  }

  /** See `Bus.checkBack`. */
  async checkBack(question: CheckQuestion): Promise<CheckAnswer> {
    const { clock, check, checkTimeoutMs } = this.#settings;
    if (isCheckedTooEarly(question, check.immunityMs)) return "unknown";
    return await checkFence(this.#fence() as Fence, question, clock, checkTimeoutMs);
  }

  /** See `Bus.resolve`. */
  async resolve(
    id: string,
    decision: "confirm" | "cancel",
    hand: HandDecision,
  ): Promise<HalfStatus> {
    return await resolveByHand(this.#settings, this.#keeper, id, decision, hand);
  }

  /** See `Bus.checkAgain`. */
  async checkAgain(id: string): Promise<HalfStatus> {
    return await this.#keeper.checkAgain(id);
  }

  async #draft(contract: Contract, body: unknown, options: HalfMessageOptions): Promise<HalfDraft> {
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
