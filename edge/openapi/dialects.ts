/**
 * The parts of the document that come from dialects of push providers.
 *
 * @module
 */
import type { DialectDescription } from "../../core/ports/dialect_description.ts";
import type { FinalHeaders } from "./answers.ts";
import type { JsonSchema } from "./schemas.ts";

/** What all dialects together add to the document. */
interface DialectParts {
  /** The names of the security schemes. */
  readonly providers: readonly string[];
  /** The security schemes by their names. */
  readonly securitySchemes: Readonly<Record<string, JsonSchema>>;
  /** Headers of answers, for the document's components. */
  readonly headers: Readonly<Record<string, JsonSchema>>;
  /** Which of them a final refusal has, by its status. */
  readonly finalHeaders: FinalHeaders;
  /** The schemas of the providers' dead-letter reports. */
  readonly reports: readonly JsonSchema[];
}

/**
 * What these dialects add to the document. A final refusal with a success status adds no status.
 */
export function dialectParts(dialects: readonly DialectDescription[]): DialectParts {
  const headers: Record<string, JsonSchema> = {};
  const finalHeaders: Record<number, Record<string, string>> = {};
  for (const { finalStatus, finalHeaders: own } of dialects) {
    if (finalStatus < 400) continue;
    const names = finalHeaders[finalStatus] ??= {};
    for (const [name, header] of Object.entries(own)) {
      headers[componentName(name)] = header;
      names[name] = componentName(name);
    }
  }
  return {
    providers: dialects.map(({ security }) => security.scheme),
    securitySchemes: Object.fromEntries(
      dialects.map(({ security }) => [security.scheme, security.definition]),
    ),
    headers,
    finalHeaders,
    reports: dialects.map(({ deadLetter }) => deadLetter).filter((report) => report !== undefined),
  };
}

/** The name of a header as a component: `x-request-id` is `XRequestId`. */
function componentName(header: string): string {
  return header.replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase());
}
