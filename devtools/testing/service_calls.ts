/**
 * The bus of a kit as a test calls it: in mode `inline` its calls also do the work that follows from them, and a
 * publish may lose its answer.
 *
 * @module
 */
import type { Bus } from "../../bus/api/bus.ts";
import { isRecord } from "../../core/check_options.ts";
import { OutcomeUnknown } from "../../bus/publish/outcome_unknown.ts";
import type { Receipt } from "../../bus/api/publish_options.ts";
import type { Faults } from "./faults.ts";

/** The calls after which something may be due. */
const CALLS: ReadonlySet<PropertyKey> = new Set<keyof Bus>([
  "publish",
  "publishMany",
  "publishRaw",
  "transaction",
  "transact",
  "flush",
  "sendNow",
  "retry",
  "resolve",
  "checkAgain",
  "moveToGroup",
]);

type Call = (...args: unknown[]) => Promise<unknown>;

/** What happens after the calls of a bus. */
interface AfterCalls {
  readonly faults: Faults;
  /** Called when a stop begins. */
  readonly stopping: () => void;
  /** Does what is due; null in mode `manual`. */
  readonly settle: (() => Promise<void>) | null;
}

/** Wraps the calls of a bus. */
export function withCalls<OwnBus extends Pick<Bus, "publish">>(
  bus: OwnBus,
  { faults, settle, stopping }: AfterCalls,
): OwnBus {
  const wrapped = (method: PropertyKey, call: Call): Call => async (...args) => {
    const result = await call(...args);
    // Nothing is due before the caller commits, and work may need the connection of that transaction.
    if (isInTransaction(method, args)) return result;
    const isLost = String(method).startsWith("publish") && losesAnswer(faults, args[0]);
    await settle?.();
    if (isLost) throw unanswered(result);
    return result;
  };
  return new Proxy(bus, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      const call = value.bind(target) as Call;
      if (property === "stop") {
        return (...args: unknown[]) => {
          stopping();
          return call(...args);
        };
      }
      return CALLS.has(property) ? wrapped(property, call) : call;
    },
  });
}

/** Whether a call publishes in a transaction of the caller. */
function isInTransaction(method: PropertyKey, args: readonly unknown[]): boolean {
  const options = args[method === "publishRaw" ? 1 : 2];
  return isRecord(options) && options["tx"] !== undefined;
}

/** Whether the answer of this publish is lost. */
function losesAnswer(faults: Faults, published: unknown): boolean {
  const { name } = published as { readonly name: string };
  return faults.take(["publish_unanswered"], { name }) !== null;
}

/** The error of a publish whose answer is lost. */
function unanswered(result: unknown): OutcomeUnknown {
  const receipts = [result].flat() as Receipt[];
  return new OutcomeUnknown(receipts.map(({ id }) => id), new Error("The test lost the answer"));
}
