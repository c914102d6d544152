/**
 * The files of the npm package: JavaScript and declarations of what the entries of deno.json reach, one for
 * each source file. Sources have explicit types at every export (JSR wants the same), so that each file is
 * translated by itself.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { posix } from "node:path";
import ts from "typescript";

/** Where what is imported comes from: files of the repository, and packages and modules of the platform. */
interface Imports {
  readonly files: readonly string[];
  readonly packages: readonly string[];
}

/** What is translated. */
export interface Translated {
  /** The texts by their paths in the package. */
  readonly files: ReadonlyMap<string, string>;
  /** What the JavaScript imports beside its own files: packages and modules of the platform. */
  readonly packages: ReadonlySet<string>;
}

/** TypeScript 6.0 declares a method `[Symbol.hasInstance]` twice, the first time as this property. */
const MARKED_TWICE = /^ *static \[Symbol\.hasInstance\]: \(value: unknown\) => boolean;\n/gm;

/** Translates one file, given its text and its path. */
type Translate = (text: string, path: string) => string;

const OPTIONS: ts.CompilerOptions = {
  // What Node 20 runs.
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  isolatedModules: true,
  rewriteRelativeImportExtensions: true,
  // Declarations keep theirs, which is where editors look.
  removeComments: true,
};

const DECLARATIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  declaration: true,
  isolatedDeclarations: true,
};

/**
 * Translates the entries and all that they reach.
 *
 * @param root The repository.
 * @param entries Their paths in it.
 */
export function translated(root: string, entries: readonly string[]): Translated {
  const packages = new Set<string>();
  const script = closure(root, entries, toScript);
  const declarations = closure(root, entries, toDeclarations);
  for (const text of script.values()) {
    for (const name of importsOf(text, "x.js").packages) packages.add(name);
  }
  const files = new Map<string, string>();
  for (const [path, text] of script) files.set(path.replace(/\.ts$/, ".js"), text);
  for (const [path, text] of declarations) files.set(path.replace(/\.ts$/, ".d.ts"), text);
  return { files, packages };
}

/** The texts of the entries and of all that their translations import, by path. */
function closure(
  root: string,
  entries: readonly string[],
  translate: Translate,
): Map<string, string> {
  const texts = new Map<string, string>();
  const waiting = entries.map((path) => posix.normalize(path));
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (texts.has(path)) continue;
    const text = translate(readFileSync(posix.join(root, path), "utf8"), path);
    texts.set(path, text);
    waiting.push(...importsOf(text, path).files);
  }
  return texts;
}

function toScript(text: string, path: string): string {
  const { outputText, diagnostics } = ts.transpileModule(text, {
    fileName: path,
    compilerOptions: OPTIONS,
    reportDiagnostics: true,
  });
  refuse(path, diagnostics);
  return outputText;
}

function toDeclarations(text: string, path: string): string {
  const { outputText, diagnostics } = ts.transpileDeclaration(text, {
    fileName: path,
    compilerOptions: DECLARATIONS,
    reportDiagnostics: true,
  });
  refuse(path, diagnostics);
  return withoutTsNames(outputText.replace(MARKED_TWICE, ""));
}

/** Declarations keep the names of the sources; here they get those of the JavaScript. */
function withoutTsNames(text: string): string {
  let changed = text;
  const { importedFiles } = ts.preProcessFile(text, true, true);
  for (const { fileName, pos } of importedFiles.toReversed()) {
    if (!/^\.\.?\/.*\.ts$/.test(fileName)) continue;
    const at = changed.indexOf(fileName, pos);
    const end = at + fileName.length;
    changed = `${changed.slice(0, end - 3)}.js${changed.slice(end)}`;
  }
  return changed;
}

function importsOf(text: string, path: string): Imports {
  const names = ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
  const isFile = (name: string): boolean => name.startsWith(".");
  return {
    files: names.filter(isFile)
      .map((name) => posix.join(posix.dirname(path), name.replace(/\.js$/, ".ts"))),
    packages: names.filter((name) => !isFile(name)),
  };
}

function refuse(path: string, diagnostics: readonly ts.Diagnostic[] = []): void {
  const problems = diagnostics.map(({ file, start, messageText }) => {
    const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start ?? 0).line + 1;
    return `${path}:${line}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
  });
  if (problems.length > 0) {
    throw new Error(`Cannot translate the sources for npm:\n${problems.join("\n")}`);
  }
}
