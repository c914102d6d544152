/**
 * What the services of a simulation do with messages: an effect in their transaction, and some trouble.
 *
 * @module
 */
import {
  type Contract,
  type HandlerContext,
  NonRetryable,
  RetryAfter,
  subscribe,
  type Subscriber,
} from "../../../mod.ts";
import type { Tx } from "../../support/bus_fixture.ts";
import {
  Deduct,
  Effect,
  groupsIn,
  Marked,
  Note,
  OLD_GROUP,
  Reminder,
  Stuck,
} from "../contracts.ts";
import type { Claims } from "../invariants/claims.ts";
import type { Plan } from "../plan.ts";
import type { Faults } from "./fault.ts";
import type { SimulatedProcess, Surroundings } from "./simulated_process.ts";

/** What the handlers of a process work with. */
interface HandlerParts {
  readonly process: SimulatedProcess;
  readonly claims: Claims;
  readonly surroundings: Surroundings;
  readonly plan: Plan;
}

/** How long a handler may go on after it was aborted, in milliseconds. */
export const HANGS_MS = 20_000;

/** Begins the reason of a failure whose handler chose the time of the next attempt; the milliseconds follow. */
export const CHOOSES = "the handler chooses ";

/** Ends the id of a message that kills each process that handles it. */
export const KILLS_HANDLER = "-kills-handler";

/** The subscribers of a process; an old version has none for notes, and another group for reminders. */
export function subscribersOf(parts: HandlerParts, isOld: boolean): Subscriber<Tx>[] {
  const { process: { service }, plan: { maxBatch } } = parts;
  const groupsOf = (contract: Contract) => {
    const groups = groupsIn(service, contract.name);
    return isOld && contract === Reminder && groups.length > 0 ? [OLD_GROUP] : groups;
  };
  // Failure callbacks and the ledger are never handled in batches.
  const own = (contract: Contract): Subscriber<Tx>[] =>
    groupsOf(contract).map((group) => {
      const isSingle = group === "ledger" || contract === Stuck;
      const options = { group, maxBatch: isSingle ? 1 : maxBatch };
      return subscribe<Contract, Tx>(
        contract,
        options,
        // What it returns is a reply only where the contract has one.
        async (body, ctx) => await handle(parts, body, ctx) as void,
      );
    });
  const contracts = [Deduct, Marked, Reminder, Stuck, Effect, ...isOld ? [] : [Note]];
  return contracts.flatMap(own);
}

/** The times that handlers choose for the next attempt, in milliseconds; mostly they choose none. */
const CHOSEN_MS = [null, null, null, 200, 6_000];

/** What a handler throws. */
function errorOf(faults: Faults): Error {
  const chosenMs = faults.pick("handler_throws", CHOSEN_MS) ?? null;
  return chosenMs === null
    ? new Error("handler_throws")
    : new RetryAfter(chosenMs, `${CHOOSES}${chosenMs}`);
}

async function handle(
  { process, claims, surroundings: { faults, time, event } }: HandlerParts,
  body: unknown,
  ctx: HandlerContext<Tx>,
): Promise<unknown> {
  const { message: { id, name }, group, signal } = ctx;
  const what = `${id} in "${group}"`;
  const ended = claims.begin(process, ctx);
  if (name === Effect.name) return ended();
  const { n, isPoison } = body as { readonly n?: number; readonly isPoison?: boolean };
  event(`${process.name} handles ${what}`);
  try {
    if (isPoison) throw new NonRetryable("poison");
    if (id.endsWith(KILLS_HANDLER)) process.kill(`it handles ${what}`);
    await process.call(`begin ${what}`, () => Promise.resolve());
    await ctx.publish(Effect, { of: id, group });
    if (faults.happens("handler_throws", process.service, what)) throw errorOf(faults);
    if (!signal.aborted && faults.happens("handler_hangs", process.service, what)) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      await time.pause(Math.ceil(faults.size("handler_hangs") * HANGS_MS));
    }
    await process.call(`end ${what}`, () => Promise.resolve());
    if (name !== Deduct.name) return;
    return faults.happens("handler_lies", process.service, what) ? { n: "a lie" } : { n };
  } finally {
    ended();
  }
}
