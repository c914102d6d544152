/**
 * Recognises statements of the work that begin, end or change its transaction.
 *
 * @module
 */
import type { StatementKind } from "./session.ts";

/** What a statement is, from its first words. */
interface TextKind extends StatementKind {
  /** The words of a statement that would begin or end the transaction; null for any other. */
  readonly endsTransaction: string | null;
}

/** Comments count as spaces. */
const FIRST_WORDS = /^(?:\s|--[^\n]*\n|\/\*[^*]*\*\/)*([a-z]+(?:\s+[a-z]+){0,2})/i;
const ENDS = /^(?:begin|start transaction|commit|end|abort|rollback|prepare transaction)\b/;
const ROLLS_BACK_TO = /^rollback (?:(?:work|transaction) )?to\b/;

/** What kind of statement a text is. */
export function statementKind(text: unknown): TextKind {
  const words = typeof text === "string"
    ? (FIRST_WORDS.exec(text)?.[1] ?? "").toLowerCase().replace(/\s+/g, " ")
    : "";
  const rollsBackTo = ROLLS_BACK_TO.test(words);
  const [ends] = rollsBackTo ? [] : ENDS.exec(words) ?? [];
  return {
    isSetting: /^set\b/.test(words),
    rollsBackTo,
    endsTransaction: ends?.toUpperCase() ?? null,
  };
}
