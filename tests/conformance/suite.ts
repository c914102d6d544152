/**
 * What the conformance suites share: cases as data, run on whatever is under test, with skips that
 * say why.
 *
 * @module
 */
import { describe, it } from "node:test";
import { skipFor } from "../support/skip.ts";

/** Something under test, made for one case. */
export interface Opened<Subject> {
  readonly subject: Subject;
  /** Gives back everything that was opened for it. */
  close(): Promise<void>;
}

/** Cases of one topic: what must hold, and the function that throws when it does not. */
export type Cases<Subject> = Readonly<Record<string, (subject: Subject) => Promise<void>>>;

/** Cases that are left out, and why. */
export interface Skip {
  /** A sentence for the report. */
  readonly reason: string;
  /** The names of the cases. */
  readonly tests: readonly string[];
}

/** How a suite is run on one adapter. */
export interface SuiteOptions<Subject> {
  /** Makes what is under test, empty, for one case. */
  open(): Promise<Opened<Subject>>;
  /** Cases this adapter leaves out. */
  readonly skip?: readonly Skip[];
  /** Why the whole suite cannot run here, such as a server that is missing; null when it can. */
  readonly unavailable?: string | null;
}

/** Registers every case of every topic as a test. */
export function runSuite<Subject>(
  name: string,
  topics: Readonly<Record<string, Cases<Subject>>>,
  options: SuiteOptions<Subject>,
): void {
  const skips = options.skip ?? [];
  checkSkips(skips, Object.values(topics).flatMap((cases) => Object.keys(cases)));
  if (typeof options.unavailable === "string") {
    it(`${name}: all cases`, { skip: skipFor(options.unavailable) }, () => {});
    return;
  }
  for (const [topic, cases] of Object.entries(topics)) {
    describe(`${name}: ${topic}`, () => {
      for (const [title, run] of Object.entries(cases)) {
        const reason = skips.find(({ tests }) => tests.includes(title))?.reason;
        if (reason === undefined) it(title, () => withSubject(options.open, run));
        else it(title, { skip: skipFor(`${name}: ${title}: ${reason}`) }, () => {});
      }
    });
  }
}

async function withSubject<Subject>(
  open: () => Promise<Opened<Subject>>,
  run: (subject: Subject) => Promise<void>,
): Promise<void> {
  const opened = await open();
  try {
    await run(opened.subject);
  } finally {
    await opened.close();
  }
}

/** A skip of a case that was renamed would skip nothing, unseen. */
function checkSkips(skips: readonly Skip[], titles: readonly string[]): void {
  for (const { reason, tests } of skips) {
    const unknown = tests.filter((title) => !titles.includes(title));
    if (reason.trim() === "" || unknown.length > 0) {
      throw new Error(
        `Cannot skip ${JSON.stringify(unknown)}: want names of cases, and a reason for it`,
      );
    }
  }
}
