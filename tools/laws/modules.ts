/**
 * Reads the imports and exports of the files of the package, for the laws of circles and of unused exports.
 * Files are formatted, so an import statement begins a line.
 *
 * @module
 */

/** One name that a file imports, or exports from another file. */
export interface ImportedName {
  /** The file it comes from, as a path in the repository. */
  readonly from: string;
  /** Its name there; `*` for all. */
  readonly name: string;
  /** Whether the file exports it in turn. */
  readonly isExported: boolean;
}

/** A file of the package. */
export interface Module {
  readonly path: string;
  readonly imports: readonly ImportedName[];
  /** The names that it declares and exports. */
  readonly exports: readonly string[];
}

const STATEMENT = /^(import|export)(?: type)? (?:\{([^}]*)\}|\* as \w+) from "(\.[^"]+)";$/gm;
const SIDE_EFFECT = /^import "(\.[^"]+)";$/gm;
/** `import("./x.ts")`, as a value and as a type. */
const INLINE = /\bimport\("(\.[^"]+)"\)/g;
const DECLARATION =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:const|let|function\*?|class|interface|type|enum) (\w+)/gm;

/** Reads a file. */
export function readModule(path: string, text: string): Module {
  const source = text.replace(/^ *\/\*\*?[\s\S]*?\*\//gm, "");
  const imports: ImportedName[] = [];
  const add = (specifier: string, name: string, isExported: boolean) => {
    imports.push({ from: targetOf(path, specifier), name, isExported });
  };
  for (const [, keyword, names, specifier = ""] of source.matchAll(STATEMENT)) {
    for (const name of names === undefined ? ["*"] : namesOf(names)) {
      add(specifier, name, keyword === "export");
    }
  }
  for (const form of [SIDE_EFFECT, INLINE]) {
    for (const [, specifier = ""] of source.matchAll(form)) add(specifier, "*", false);
  }
  const exports = Array.from(source.matchAll(DECLARATION), ([, name = ""]) => name);
  return { path, imports, exports };
}

function namesOf(list: string): string[] {
  return list.split(",")
    .map((entry) => entry.trim().replace(/^type /, "").split(" as ")[0]?.trim() ?? "")
    .filter((name) => name !== "");
}

function targetOf(path: string, specifier: string): string {
  return new URL(specifier, `file:///${path}`).pathname.slice(1);
}

/** The groups of files that import each other, directly or through others; types count. */
export function circlesOf(modules: readonly Module[]): string[][] {
  const targets = new Map(
    modules.map(({ path, imports }) => [path, new Set(imports.map(({ from }) => from))]),
  );
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const circles: string[][] = [];
  const visit = (path: string): void => {
    order.set(path, order.size);
    lowest.set(path, order.size - 1);
    open.push(path);
    for (const target of targets.get(path) ?? []) {
      if (!targets.has(target)) continue;
      if (!order.has(target)) visit(target);
      if (open.includes(target)) {
        lowest.set(path, Math.min(lowest.get(path) ?? 0, lowest.get(target) ?? 0));
      }
    }
    if (lowest.get(path) !== order.get(path)) return;
    const circle = open.splice(open.indexOf(path));
    if (circle.length > 1 || targets.get(path)?.has(path)) circles.push(circle.sort());
  };
  for (const { path } of modules) if (!order.has(path)) visit(path);
  return circles;
}

/**
 * The exports that no other file imports and no entry exports, as `path: name`.
 *
 * @param entries The files that users import: their declarations and exports count as used.
 * @param others Files outside the package that also use it, such as tests.
 */
export function unusedExports(
  modules: readonly Module[],
  entries: readonly string[],
  others: readonly Module[] = [],
): string[] {
  const used = new Set<string>();
  for (const { path, imports } of [...modules, ...others]) {
    for (const { from, name } of imports) if (from !== path) used.add(`${from}: ${name}`);
  }
  return modules
    .filter(({ path }) => !entries.includes(path) && !used.has(`${path}: *`))
    .flatMap(({ path, exports }) => exports.map((name) => `${path}: ${name}`))
    .filter((name) => !used.has(name));
}
