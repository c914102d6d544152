/**
 * Reads the JUnit report of `deno test`.
 *
 * @module
 */

/** One test, group of tests or step of a test. */
export interface TestCase {
  /** Its full name, including those of its groups. */
  readonly name: string;
  /** How it ended. */
  readonly outcome: "passed" | "failed" | "skipped";
  /** Whether it failed only because a part of it failed. */
  readonly failedWithin: boolean;
}

/** The counts of results. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const SEPARATOR = " > ";

/** The cases of a report. A case without a time was left out by a filter. */
export function readReport(xml: string): TestCase[] {
  const cases = xml.matchAll(/<testcase name="([^"]*)"[^>]* time="[^>]*>([\s\S]*?)<\/testcase>/g);
  return Array.from(cases, ([, name, content]) => ({
    name: unescapeXml(name ?? ""),
    outcome: /<(failure|error)\b/.test(content ?? "")
      ? "failed"
      : /<skipped\b/.test(content ?? "")
      ? "skipped"
      : "passed",
    failedWithin: /<failure message="\d+ test steps? failed"/.test(content ?? ""),
  }));
}

/**
 * Counts tests, not their groups. A group that fails itself, by a hook or a leak, counts as a failure. A
 * group that is skipped as a whole counts as one skip.
 */
export function countTests(cases: readonly TestCase[]): Counts {
  const groups = new Set(cases.flatMap(({ name }) => groupsOf(name)));
  const ended = (test: TestCase): TestCase["outcome"] | "group" =>
    groups.has(test.name) &&
      (test.outcome === "passed" || (test.outcome === "failed" && test.failedWithin))
      ? "group"
      : test.outcome;
  const count = (outcome: TestCase["outcome"]): number =>
    cases.filter((test) => ended(test) === outcome).length;
  return { passed: count("passed"), failed: count("failed"), skipped: count("skipped") };
}

function groupsOf(name: string): string[] {
  const parts = name.split(SEPARATOR);
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join(SEPARATOR));
}

function unescapeXml(text: string): string {
  const characters: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return text.replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => characters[name] ?? "");
}
