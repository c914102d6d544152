/**
 * The project's laws as lint rules, so that the editor, `deno lint` and the tests report the same.
 * `tests/laws/plugin_test.ts` tests each rule on code that breaks it.
 *
 * @module
 */
import { importProblem, isShipped, roomOf } from "./imports.ts";
import { wrongTermIn } from "./terms.ts";
import { providerIn } from "./providers.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** Globals whose value differs between calls, or that start work. */
const IMPURE_NAMES: ReadonlySet<string> = new Set([
  "performance",
  "crypto",
  "globalThis",
  "Temporal",
  "Intl",
  "Promise",
  "eval",
  "Function",
  "WeakRef",
  "FinalizationRegistry",
]);

/** Members that read the clock, random numbers, the time zone or the locale. */
const IMPURE_MEMBERS: ReadonlySet<string> = new Set(["Date.now", "Math.random"]);
const AMBIENT_METHODS =
  /^(toLocale\w+|localeCompare|get(FullYear|Month|Date|Day|Hours|Minutes|Seconds|TimezoneOffset))$/;

const IMPURE_HINT = "Take the time, the random number or the answer as an argument: core is pure";

/** The plugin that deno.json names. */
const plugin: Deno.lint.Plugin = {
  name: "atlast",
  rules: {
    /** `core/*.ts` decides from its arguments alone: no clock, random numbers, asynchrony or state. */
    "pure-core": { create: (context) => pathOf(context).kind === "core" ? pure(context) : {} },
    /** Allowed imports; see imports.ts. */
    "imports": { create: imports },
    /** Code for all providers names none of them; see providers.ts. */
    "no-provider": { create: noProvider },
    /** Names use the project's terms; see terms.ts. */
    "terms": { create: terms },
    /** Public exports are listed by name. */
    "explicit-exports": {
      create: (context) => ({
        ExportAllDeclaration(node) {
          if (isShipped(pathOf(context))) {
            report(context, node, "Export names one by one, so that nothing is public by accident");
          }
        },
      }),
    },
    /** A test that is skipped from inside counts as passed, and one that is alone hides the others. */
    "honest-tests": {
      create: (context) => ({
        CallExpression({ callee }) {
          if (callee.type !== "MemberExpression" || callee.property.type !== "Identifier") return;
          const called = `${context.sourceCode.getText(callee.object)}.${callee.property.name}`;
          if (/^(t|context|ctx)\.(skip|todo)$/.test(called)) {
            report(
              context,
              callee,
              "Skip with the option `skip` and a reason, so that it is counted",
            );
          } else if (/^(test|it|describe|suite)\.only$/.test(called)) {
            report(context, callee, "Do not commit `only`: it hides every other test");
          }
        },
      }),
    },
  },
};

export default plugin;

/** The AST nodes that declare a name. */
function terms(context: Deno.lint.RuleContext): Deno.lint.LintVisitor {
  const path = relative(context.filename);
  if (!isShipped(roomOf(path)) && !path.startsWith("bench/")) return {};
  const check = (node: Deno.lint.Node | Deno.lint.Parameter | null): void => {
    if (node?.type !== "Identifier" && node?.type !== "PrivateIdentifier") return;
    const wrong = wrongTermIn(node.name);
    if (wrong === null) return;
    report(context, node, `"${wrong.word}" is no term here, in ${node.name}`, `Say ${wrong.term}`);
  };
  return {
    VariableDeclarator: ({ id }) => check(id),
    FunctionDeclaration: ({ id, params }) => [id, ...params].forEach(check),
    ArrowFunctionExpression: ({ params }) => params.forEach(check),
    ClassDeclaration: ({ id }) => check(id),
    TSInterfaceDeclaration: ({ id }) => check(id),
    TSTypeAliasDeclaration: ({ id }) => check(id),
    PropertyDefinition: ({ key }) => check(key),
    MethodDefinition: ({ key }) => check(key),
    TSPropertySignature: ({ key }) => check(key),
    TSMethodSignature: ({ key }) => check(key),
  };
}

function pure(context: Deno.lint.RuleContext): Deno.lint.LintVisitor {
  const refuse = (node: Deno.lint.Node, what: string): void =>
    report(context, node, `The pure core does not use ${what}`, IMPURE_HINT);
  const refuseAsync = (node: Deno.lint.Node & { async: boolean }): void => {
    if (node.async) refuse(node, "async functions");
  };
  return {
    AwaitExpression: (node) => refuse(node, "await"),
    ImportExpression: (node) => refuse(node, "import()"),
    ForOfStatement(node) {
      if (node.await) refuse(node, "for await");
    },
    FunctionDeclaration: refuseAsync,
    FunctionExpression: refuseAsync,
    ArrowFunctionExpression: refuseAsync,
    NewExpression(node) {
      if (isNamed(node.callee, "Date") && node.arguments.length === 0) refuse(node, "new Date()");
    },
    CallExpression(node) {
      if (isNamed(node.callee, "Date")) refuse(node, "Date()");
    },
    MemberExpression(node) {
      if (node.computed || node.property.type !== "Identifier") return;
      const method = node.property.name;
      const member = node.object.type === "Identifier" ? `${node.object.name}.${method}` : "";
      if (IMPURE_MEMBERS.has(member)) refuse(node, member);
      else if (AMBIENT_METHODS.test(method)) refuse(node, `${method}, which reads zone or locale`);
    },
    Identifier(node) {
      if (!isValue(node)) return;
      if (IMPURE_NAMES.has(node.name)) refuse(node, node.name);
      else if (isNamed(node, "Date") || isNamed(node, "Math")) {
        if (hidesMember(node)) refuse(node, `${node.name} other than by a named member`);
      }
    },
    "Program > VariableDeclaration[kind!='const']"(node: Deno.lint.Node) {
      refuse(node, "variables that outlive a call");
    },
    "ExportNamedDeclaration > VariableDeclaration[kind!='const']"(node: Deno.lint.Node) {
      refuse(node, "variables that outlive a call");
    },
  };
}

function imports(context: Deno.lint.RuleContext): Deno.lint.LintVisitor {
  const check = (node: Deno.lint.Node, specifier: unknown): void => {
    const problem = typeof specifier === "string"
      ? importProblem(relative(context.filename), specifier)
      : isShipped(pathOf(context))
      ? "an import must be a plain string to be checked"
      : null;
    if (problem !== null) report(context, node, `Cannot import ${specifier} here: ${problem}`);
  };
  const literal = (node: Deno.lint.Node): unknown => "value" in node ? node.value : undefined;
  return {
    ImportDeclaration: (node) => check(node, node.source.value),
    ExportAllDeclaration: (node) => check(node, node.source.value),
    ExportNamedDeclaration(node) {
      if (node.source !== null) check(node, node.source.value);
    },
    ImportExpression: (node) => check(node, literal(node.source)),
    TSImportType(node) {
      const argument = node.argument;
      check(node, argument.type === "TSLiteralType" ? literal(argument.literal) : undefined);
    },
  };
}

function noProvider(context: Deno.lint.RuleContext): Deno.lint.LintVisitor {
  if (!["core", "bus", "http", "edge", "openapi"].includes(pathOf(context).kind)) return {};
  const check = (node: Deno.lint.Node, text: unknown): void => {
    const provider = typeof text === "string" ? providerIn(text) : null;
    if (provider === null) return;
    const hint = "Put it into the provider's adapter, and take it as an argument or a dialect";
    report(context, node, `"${provider}" is a provider's, and none is named here`, hint);
  };
  return {
    Identifier: (node) => check(node, node.name),
    Literal: (node) => check(node, "regex" in node ? node.raw : node.value),
    TemplateElement: (node) => check(node, node.cooked),
  };
}

function report(
  context: Deno.lint.RuleContext,
  node: Deno.lint.Node,
  message: string,
  hint?: string,
): void {
  context.report({ node, message, ...(hint === undefined ? {} : { hint }) });
}

function pathOf(context: Deno.lint.RuleContext): ReturnType<typeof roomOf> {
  return roomOf(relative(context.filename));
}

function relative(filename: string): string {
  const path = filename.replace(/^file:\/\//, "");
  return path.startsWith(ROOT) ? path.slice(ROOT.length) : path.replace(/^\/+/, "");
}

function isNamed(node: Deno.lint.Node, name: string): boolean {
  return node.type === "Identifier" && node.name === name;
}

/** Whether the used member of an object is hidden: `const { now } = Date`, `Date["now"]()`. */
function hidesMember(node: Deno.lint.Identifier): boolean {
  const parent = node.parent;
  if (parent.type === "MemberExpression") return parent.computed;
  return parent.type !== "NewExpression" && parent.type !== "CallExpression";
}

/** Whether an identifier is a value: not in a type, and not the name of a property. */
function isValue(node: Deno.lint.Identifier): boolean {
  const parent = node.parent;
  if (parent.type.startsWith("TS")) {
    // In `x as T`, `x!` and the like the first part is a value.
    return "expression" in parent && parent.expression === node;
  }
  if (parent.type === "MemberExpression") return parent.object === node || parent.computed;
  return parent.type !== "Property" || parent.computed || parent.value === node;
}
