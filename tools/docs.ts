/**
 * `deno task docs`: writes the pages of `docs/` that are generated from the code.
 *
 * @module
 */
import { type GeneratedPage, write } from "./docs/markdown.ts";
import { benchmarksPage } from "./benchmarks_page.ts";
import { errorsPage } from "./errors_page.ts";
import { operationsPage } from "./operations_page.ts";
import { optionsPage } from "./options_page.ts";
import { statelessPage } from "./stateless_page.ts";
import { whatHappensPage } from "./what_happens_page.ts";

/** Every page that is generated, or has a generated part. */
export const PAGES: readonly GeneratedPage[] = [
  optionsPage,
  errorsPage,
  benchmarksPage,
  operationsPage,
  statelessPage,
  whatHappensPage,
];

if (import.meta.main) { for (const page of PAGES) await write(page); }
