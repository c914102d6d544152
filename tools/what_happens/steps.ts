/**
 * The steps of a run: which points of the simulation are the same step, and what can go wrong at each.
 *
 * @module
 */
import type { Point, Trouble } from "./one_fault.ts";
import type { Outcome } from "./run_flow.ts";
import type { Call } from "./scene.ts";

/** One thing that can go wrong at a step. */
export interface Row {
  /** The name of the step. */
  readonly step: string;
  /** The step in words. */
  readonly words: string;
  readonly point: Point;
  readonly trouble: Trouble;
  /** Whether it goes wrong before the step took effect. */
  readonly isBefore: boolean;
}

/**
 * The steps of a flow in words, by their names: who does what to which messages. A name with `: ` and a trouble is for
 * that trouble alone.
 */
export type Steps = Readonly<Record<string, string>>;

/** The faults of the simulation that each trouble is made of, where the step is a call. */
const OF_CALLS: Partial<Record<Point["fault"], readonly Trouble[]>> = {
  request_lost: ["dies", "fails"],
  answer_lost: ["dies", "unanswered"],
  commit_refused: ["dies", "fails"],
};
/** Where it is a message that is under way. */
const OF_MESSAGES: Partial<Record<Point["fault"], readonly Trouble[]>> = {
  message_lost: ["fails"],
  message_doubled: ["twice"],
  message_late: ["late"],
  message_delayed: ["slow"],
};
/** Where it is a call of the handler to another system. */
const OF_HANDLERS: Partial<Record<Point["fault"], readonly Trouble[]>> = {
  ...OF_CALLS,
  slow: ["slow"],
  pause: ["stands still"],
};

/** The order of the rows of a step. */
const ORDER: readonly Trouble[] = [
  ...["dies", "fails", "unanswered", "restarts"] as const,
  ...["twice", "late", "slow", "stands still"] as const,
];

/**
 * What can go wrong at some steps of a run in which nothing did, in the order of the run: each step once, where it is
 * met first. That a process dies before a step is the same as that it dies after the step before, so only the first
 * step of each service has it.
 */
export function rowsOf({ scene }: Outcome, steps: Steps): Row[] {
  const calls = new Map(scene.calls.map((call) => [`${call.what} ${call.index}`, call]));
  const rows = new Map<string, Row[]>();
  /** The first step of each service. */
  const first = new Map<string | undefined, string>();
  for (const point of scene.faults.points) {
    const step = nameOf(point, calls, scene.names);
    if (step === null) continue;
    const of = rows.get(step) ?? [];
    const isBefore = point.fault !== "answer_lost" && !point.what.startsWith("the answer");
    const [service] = step.split(" ");
    for (const trouble of troublesOf(step, point)) {
      const words = steps[`${step}: ${trouble}`] ?? steps[step];
      const isKnown = of.some((row) => row.trouble === trouble && row.isBefore === isBefore);
      if (words === undefined || isKnown) continue;
      if (!first.has(service)) first.set(service, step);
      if (trouble === "dies" && isBefore && first.get(service) !== step) continue;
      rows.set(step, of);
      of.push({ step, words, point, trouble, isBefore });
    }
  }
  const unused = Object.keys(steps).filter((name) => !rows.has(name.replace(/: .*/, "")));
  if (unused.length > 0) throw new Error(`Cannot find steps in a run: ${unused.join("; ")}`);
  return [...rows.values()].flatMap((of) => of.sort((a, b) => rank(a) - rank(b)));
}

function rank({ trouble, isBefore }: Row): number {
  // A process that dies before a step comes before one that dies after it.
  const isAfter = !isBefore && trouble === "dies";
  return ORDER.indexOf(trouble) + (isAfter ? 1.5 : 0);
}

function troublesOf(step: string, { fault, what }: Point): readonly Trouble[] {
  if (step.startsWith("network")) {
    return what.startsWith("the answer") ? ["unanswered"] : OF_MESSAGES[fault] ?? [];
  }
  if (step.endsWith(" elsewhere")) return OF_HANDLERS[fault] ?? [];
  const troubles = OF_CALLS[fault] ?? [];
  // What a network does to a message is a step of its own.
  if (/ send /.test(step)) return troubles.filter((trouble) => trouble === "dies");
  const isStored = / (?:add|settle|claim|prune|commit)\b/.test(step);
  return fault === "answer_lost" && isStored ? [...troubles, "restarts"] : troubles;
}

/** The step that a point is part of: who does what to which messages; null if it concerns none. */
function nameOf(
  point: Point,
  calls: ReadonlyMap<string, Call>,
  names: ReadonlyMap<string, string>,
): string | null {
  const [, service, rest] = /^(orders|inventory)-\d (.*)$/.exec(point.what) ?? [];
  const messages = (ids: readonly string[]) =>
    [
      ...new Set(
        ids.map((id) => names.get(id) ?? (id === "expired" || id.includes(".") ? id : "written")),
      ),
    ].join();
  if (service === undefined || rest === undefined) {
    const id = point.what.replace("the answer to ", "");
    return names.has(id) ? `network carry ${messages([id])}` : null;
  }
  const call = calls.get(`${point.what} ${point.index}`);
  if (call !== undefined) {
    return `${service} ${call.method} ${call.box} ${messages(call.names)}`.trimEnd();
  }
  const [verb = "", ...about] = rest.split(" ");
  if (point.fault === "request_lost" && /^(?:business )?transaction\b/.test(rest)) {
    return `${service} begin`;
  }
  if (rest === "a commit" || /^transaction(?:OnUse)?\b/.test(rest)) return `${service} commit`;
  if (verb === "send") return `${service} send ${messages(about)}`;
  if (/^(?:elsewhere|business|payment|ask|fence)\b/.test(rest)) {
    return ["ready", "list", "read", "forget"].includes(about[0] ?? "")
      ? null
      : `${service} ${verb === "business" ? rest : verb}`;
  }
  return null;
}
