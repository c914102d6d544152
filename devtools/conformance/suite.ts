/**
 * What the conformance suites share: a suite is a list of named cases, which any test runner can run.
 *
 * @module
 */
import {
  aFunction,
  aList,
  aText,
  checkOptions,
  nested,
  type OptionCheck,
  type OptionTable,
} from "../../core/check_options.ts";
import { AtlastError } from "../../core/errors.ts";

/** One case of a suite. */
export interface ConformanceCase {
  /** The topic, such as `claim`. */
  readonly topic: string;
  /** What must hold. No other case of the suite has this name. */
  readonly name: string;
  /** Why this adapter leaves it out; null if it does not. */
  readonly skip: string | null;
  /** Opens what is under test, runs the case on it and closes it. Rejects if the case does not hold. */
  run(): Promise<void>;
}

/** Something under test, made for one case. */
export interface Opened<Subject> {
  /** What is under test. */
  readonly subject: Subject;
  /** Closes everything that was opened for it. */
  close(): Promise<void>;
}

/** Cases of one topic: what must hold, and the function that rejects when it does not. */
export type Cases<Subject> = Readonly<Record<string, (subject: Subject) => Promise<void>>>;

/** Cases that are left out, and why. */
export interface Skip {
  /** A sentence for the report. */
  readonly reason: string;
  /**
   * The names of the cases.
   *
   * @default none
   */
  readonly tests?: readonly string[];
  /**
   * Topics of which all cases are left out.
   *
   * @default none
   */
  readonly topics?: readonly string[];
}

/** How a suite is run on one adapter. */
export interface SuiteOptions<Subject> {
  /** Makes what is under test, empty, for one case. */
  open(): Promise<Opened<Subject>>;
  /**
   * Cases that this adapter leaves out.
   *
   * @default none
   */
  readonly skip?: readonly Skip[];
}

/** The cases to leave out. */
const SKIPS: OptionCheck = aList(
  nested({ tests: aList(aText), topics: aList(aText) }, { reason: aText }),
);

/**
 * Checks the options of a suite.
 *
 * @param own The options that only this suite has, and may be left out.
 * @param required Those that may not.
 * @throws {AtlastError} `invalid_option`.
 */
export function checkSuiteOptions(
  options: unknown,
  own: OptionTable = {},
  required: OptionTable = {},
): void {
  checkOptions("make a suite with", options, { skip: SKIPS, ...own }, {
    ...required,
    open: aFunction,
  });
}

/** The cases of all topics, as a suite of one adapter. */
export function suiteOf<Subject>(
  topics: Readonly<Record<string, Cases<Subject>>>,
  { open, skip = [] }: SuiteOptions<Subject>,
): ConformanceCase[] {
  const names = Object.values(topics).flatMap((cases) => Object.keys(cases));
  for (const each of skip) checkSkip(each, names, Object.keys(topics));
  return Object.entries(topics).flatMap(([topic, cases]) =>
    Object.entries(cases).map(([name, run]) => ({
      topic,
      name,
      skip: skip.find(({ tests, topics }) => tests?.includes(name) || topics?.includes(topic))
        ?.reason ?? null,
      run: () => withSubject(open, run),
    }))
  );
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
function checkSkip(
  { reason, tests = [], topics = [] }: Skip,
  allTests: readonly string[],
  allTopics: readonly string[],
): void {
  const unknown = [
    ...tests.filter((name) => !allTests.includes(name)),
    ...topics.filter((topic) => !allTopics.includes(topic)),
  ];
  if (reason.trim() !== "" && unknown.length === 0) return;
  throw new AtlastError(
    "invalid_option",
    `Cannot skip ${JSON.stringify(unknown)}: want names of cases or topics, and a reason for it`,
  );
}
