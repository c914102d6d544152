/**
 * Counts orphans by name and group, because there may be very many of a few names.
 *
 * @module
 */
import type { Finding } from "./finding.ts";

/** How many names and groups are counted at once. With more, those so far are reported, and counted anew. */
const MAX_KEYS = 1_000;

/** The orphans of one box. */
export class OrphanCounts {
  readonly #found = new Map<string, Finding>();

  /** Counts an orphan; returns what must be reported now. */
  add(finding: Finding): Finding[] {
    const full = this.#found.size >= MAX_KEYS ? this.take() : [];
    const key = [finding.problem, finding.group, finding.name].join("\n");
    const before = this.#found.get(key);
    if (before === undefined) this.#found.set(key, finding);
    else {
      const count = before.count + 1;
      const sinceMs = Math.min(before.sinceMs ?? Infinity, finding.sinceMs ?? Infinity);
      this.#found.set(key, { ...before, count, sinceMs: sinceMs === Infinity ? null : sinceMs });
    }
    return full;
  }

  /** The findings so far, which are then counted anew. */
  take(): Finding[] {
    const all = [...this.#found.values()];
    this.#found.clear();
    return all.map((finding) =>
      finding.count === 1
        ? finding
        : { ...finding, text: `${finding.text}; and ${finding.count - 1} more of this name` }
    );
  }
}
