import type { Command } from "commander";
import { EXIT, type ExitCode } from "../exit-code.ts";
import type { Surroundings } from "../surroundings.ts";

/** A completion script for bash, zsh or fish, made from the verbs themselves. */
export function completion(surroundings: Surroundings, shell: keyof typeof SCRIPTS, program: Command): ExitCode {
  const words = describeVerbs(program);
  surroundings.terminal.out(SCRIPTS[shell](words));
  return EXIT.done;
}

interface Verb {
  readonly path: readonly string[];
  readonly description: string;
  readonly words: readonly string[];
}

function describeVerbs(program: Command, path: readonly string[] = []): Verb[] {
  const children = program
    .createHelp()
    .visibleCommands(program)
    .filter((command) => command.name() !== "help");
  const options = program.options.flatMap((option) =>
    [option.long, option.short].filter((name) => name !== undefined && name !== null),
  );
  return [
    { path, description: program.description(), words: [...children.map((child) => child.name()), ...options] },
    ...children.flatMap((child) => describeVerbs(child, [...path, child.name()])),
  ];
}

function bash(verbs: readonly Verb[]): string {
  const cases = verbs.map(
    (verb) => `    ${JSON.stringify(verb.path.join(" "))}) words=${JSON.stringify(verb.words.join(" "))} ;;`,
  );
  return `_xcf() {
  local verb="" word words=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) case "$verb" in ""|state|token|audit|policy) verb="\${verb:+$verb }$word" ;; esac ;; esac
  done
  case "$verb" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _xcf xcf
`;
}

function zsh(verbs: readonly Verb[]): string {
  return `#compdef xcf\nautoload -U +X bashcompinit && bashcompinit\n${bash(verbs)}`;
}

function fish(verbs: readonly Verb[]): string {
  return verbs
    .flatMap((verb) => {
      const condition =
        verb.path.length === 0 ? "__fish_use_subcommand" : `__fish_seen_subcommand_from ${verb.path.at(-1)}`;
      return verb.words.map((word) =>
        word.startsWith("--")
          ? `complete -c xcf -n '${condition}' -l ${word.slice(2)}`
          : word.startsWith("-")
            ? `complete -c xcf -n '${condition}' -s ${word.slice(1)}`
            : `complete -c xcf -f -n '${condition}' -a ${word}`,
      );
    })
    .concat("")
    .join("\n");
}

const SCRIPTS = { bash, zsh, fish } as const;
