/**
 * Errors of a Redis server that lacks what Upstash has: an older version, or one without a module. They say so,
 * so that nobody looks for the cause at Upstash.
 *
 * @module
 */
import { argumentText, type RestCommand } from "./command.ts";
import { newOptionOf } from "./upstash_commands.ts";

/** The error of a server that does not know a command of Upstash. */
export function lacksCommand(name: string): string {
  return `ERR The Redis server behind this proxy has no command '${name}', which Upstash has`;
}

/** Whether an error of Redis is about a command that it does not know. */
export function isUnknownCommand(message: string): boolean {
  return message.startsWith("ERR unknown command");
}

/** The error of Redis for a command that Upstash has, or one that says what the server lacks. */
export function localError(command: RestCommand, message: string): string {
  const { name, args } = command;
  if (isUnknownCommand(message)) return lacksCommand(name);
  if (message.startsWith("ERR unknown subcommand")) {
    return lacksCommand(`${name} ${argumentText(args[0])}`);
  }
  if (message.startsWith("ERR Unknown Redis command called from script")) {
    return `${message} The Redis server behind this proxy does not have it; Upstash may`;
  }
  const option = /^ERR (syntax error|Invalid stream ID)/.test(message)
    ? newOptionOf(command)
    : null;
  if (option === null) return message;
  return `ERR The Redis server behind this proxy does not know '${option}' of ${name}, which Upstash does`;
}
