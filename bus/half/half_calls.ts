/**
 * The methods of a bus for half messages.
 *
 * @module
 */
import type { CheckAnswer } from "../../core/lifecycle/check_back.ts";
import type { BodyInput, Contract, ReplyInput } from "../../core/message/contract.ts";
import type { CheckQuestion } from "../../core/ports/fence.ts";
import type { HalfMessageOptions, HandDecision } from "../api/bus.ts";
import type { HalfStatus } from "../../core/ports/half_keeper.ts";
import type { HalfMessage, HalfOutcome } from "../api/half_message.ts";
import type { HalfOperations } from "./half_operations.ts";
import { checkId } from "../../core/message/id.ts";
import { checkQuestion, checkResolve, checkWork } from "../settings/call_options.ts";
import { mustNotBeStopped } from "../run_state.ts";
import { PublishCalls } from "../publish/publish_calls.ts";

/** The part of a bus that hands half messages to {@linkcode HalfOperations}; see `Bus` for what each call does. */
export abstract class HalfCalls<Tx, BusinessTx> extends PublishCalls<Tx> {
  protected abstract readonly half: HalfOperations<Tx, BusinessTx>;

  async prepare<C extends Contract>(
    contract: C,
    body: BodyInput<C>,
    options: HalfMessageOptions<ReplyInput<C>> = {},
  ): Promise<HalfMessage<BusinessTx>> {
    mustNotBeStopped(this.phase, "prepare");
    return await this.calls.during(() => this.half.prepare(contract, body, options));
  }

  async transact<C extends Contract, Result>(
    contract: C,
    body: BodyInput<C>,
    work: (tx: BusinessTx) => Promise<Result>,
    options: HalfMessageOptions<ReplyInput<C>> = {},
  ): Promise<HalfOutcome<Result>> {
    mustNotBeStopped(this.phase, "prepare");
    checkWork(work, "begin an operation with");
    return await this.calls.during(() => this.half.transact(contract, body, work, options));
  }

  async resolve(id: string, decision: "confirm" | "cancel", by: HandDecision): Promise<HalfStatus> {
    checkResolve(id, decision, by);
    return await this.calls.during(() => this.half.resolve(id, decision, by));
  }

  async checkAgain(id: string): Promise<HalfStatus> {
    checkId(id);
    return await this.calls.during(() => this.half.checkAgain(id));
  }

  async checkBack(question: CheckQuestion): Promise<CheckAnswer> {
    checkQuestion(question);
    return await this.half.checkBack(question);
  }
}
