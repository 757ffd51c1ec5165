"""`completion`: a static script for a shell. Commands and flags are known without asking the program; names of models are asked for when a name stands next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.commands.streams import Output

_BASH = """# reconciler completion for bash: source <(reconciler completion bash)
_reconciler() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD - 1]}}" command="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ "${{COMP_WORDS[i]}}" != -* ]] && {{ command="${{COMP_WORDS[i]}}"; break; }}
  done
  if [[ "$word" == "=" ]]; then word=""; elif [[ "$before" == "=" ]]; then before="${{COMP_WORDS[COMP_CWORD - 2]}}"; fi
  case "$before" in
    {flags}) COMPREPLY=($(compgen -W "$(reconciler completion models 2>/dev/null)" -- "$word")); return ;;
  esac
  local words=""
  case "$command" in
{cases}
    *) words="{commands}" ;;
  esac
  if [[ "$word" == -* || -z "$command" ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    return
  fi
  case "$command" in
    {names}) COMPREPLY=($(compgen -W "$(reconciler completion models 2>/dev/null)" -- "$word")) ;;
    *) COMPREPLY=($(compgen -f -- "$word")) ;;
  esac
}}
complete -o default -F _reconciler reconciler
"""
_ZSH = """#compdef reconciler
# reconciler completion for zsh: source <(reconciler completion zsh)
autoload -Uz compinit && (( $+functions[compdef] )) || compinit
_reconciler() {{
  local -a words_here
  if (( CURRENT == 2 )); then
    words_here=({commands})
    compadd -- $words_here
    return
  fi
  case "$words[CURRENT]" in
    {flags}) compset -P '*='; compadd -- ${{(f)"$(reconciler completion models 2>/dev/null)"}}; return ;;
  esac
  case "$words[2]" in
{cases}
  esac
  if [[ "$words[CURRENT]" == -* ]]; then compadd -- $words_here; return; fi
  case "$words[2]" in
    {names}) compadd -- ${{(f)"$(reconciler completion models 2>/dev/null)"}} ;;
    *) _files ;;
  esac
}}
compdef _reconciler reconciler
"""


def run(output: Output, *, shell: str, words: Mapping[str, Sequence[str]], names: tuple[Sequence[str], Sequence[str]]) -> int:
    """Print the script. `words` has each command's flags, as they are typed; `names` the commands and the flags that take the name of a model."""
    commands, flags = names
    match shell:
        case "bash":
            cases = "\n".join(f'    {command}) words="{" ".join(own)}" ;;' for command, own in words.items())
            output.write(_BASH.format(cases=cases, commands=" ".join(words), names="|".join(commands), flags="|".join(flags)))
        case "zsh":
            cases = "\n".join(f"    {command}) words_here=({' '.join(own)}) ;;" for command, own in words.items())
            output.write(_ZSH.format(cases=cases, commands=" ".join(words), names="|".join(commands), flags="|".join(f"{flag}=*" for flag in flags)))
        case _:
            output.write(_fish(words, commands, flags))
    return 0


def _fish(words: Mapping[str, Sequence[str]], names: Sequence[str], named: Sequence[str]) -> str:
    asked = "-a '(reconciler completion models 2>/dev/null)'"
    lines = [
        "# reconciler completion for fish: reconciler completion fish | source",
        f"complete -c reconciler -f -n __fish_use_subcommand -a '{' '.join(words)}'",
        f"complete -c reconciler -f -n '__fish_seen_subcommand_from {' '.join(names)}' {asked}",
    ]
    for command, flags in words.items():
        for flag in flags:
            value = f" -x {asked}" if flag in named else ""
            lines.append(f"complete -c reconciler -n '__fish_seen_subcommand_from {command}' -o {flag.lstrip('-')}{value}")
    return "\n".join(lines) + "\n"
