"""`completion`: a static script for a shell; commands and flags are known without asking the program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.commands.streams import Output

_BASH = """# reconciler completion for bash: source <(reconciler completion bash)
_reconciler() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" command="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ "${{COMP_WORDS[i]}}" != -* ]] && {{ command="${{COMP_WORDS[i]}}"; break; }}
  done
  local words=""
  case "$command" in
{cases}
    *) words="{commands}" ;;
  esac
  if [[ "$word" == -* || -z "$command" ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$word"))
  else
    COMPREPLY=($(compgen -f -- "$word"))
  fi
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
  case "$words[2]" in
{cases}
  esac
  if [[ "$words[CURRENT]" == -* ]]; then compadd -- $words_here; else _files; fi
}}
compdef _reconciler reconciler
"""


def run(output: Output, *, shell: str, words: Mapping[str, Sequence[str]]) -> int:
    """Print the script. `words` has each command's flags, as they are typed."""
    match shell:
        case "bash":
            cases = "\n".join(f'    {command}) words="{" ".join(flags)}" ;;' for command, flags in words.items())
            output.write(_BASH.format(cases=cases, commands=" ".join(words)))
        case "zsh":
            cases = "\n".join(f"    {command}) words_here=({' '.join(flags)}) ;;" for command, flags in words.items())
            output.write(_ZSH.format(cases=cases, commands=" ".join(words)))
        case _:
            output.write(_fish(words))
    return 0


def _fish(words: Mapping[str, Sequence[str]]) -> str:
    lines = [
        "# reconciler completion for fish: reconciler completion fish | source",
        f"complete -c reconciler -f -n __fish_use_subcommand -a '{' '.join(words)}'",
    ]
    for command, flags in words.items():
        lines += [f"complete -c reconciler -n '__fish_seen_subcommand_from {command}' -o {flag.lstrip('-')}" for flag in flags]
    return "\n".join(lines) + "\n"
