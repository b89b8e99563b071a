/** `completion SHELL`: a short script that asks the program itself (`__complete`) for candidates. */
import { type Command, defineCommand } from "../command.ts";

/** Each script gets the words of the line, the last one being completed; a first line `:files` means file names. */
const scripts: Record<string, (program: string) => string> = {
  bash: (program) => `# bash completion for ${program}
__${program}_complete() {
  # Bash's own words are broken at : and =, which names and flags contain: take the line itself.
  local head="\${COMP_LINE:0:COMP_POINT}" words out line current broken
  read -ra words <<<"$head"
  [[ "$head" == *" " ]] && words+=("")
  current="\${words[-1]}"
  out="$("\${words[0]}" __complete -- "\${words[@]:1}" 2>/dev/null)" || return
  broken="\${current%"\${current##*[:=]}"}"
  COMPREPLY=()
  while IFS= read -r line; do
    case "$line" in
    "") ;;
    :files) compopt -o default; COMPREPLY=(); return ;;
    *) line="\${line%%$'\\t'*}"; COMPREPLY+=("\${line#"$broken"}") ;;
    esac
  done <<<"$out"
}
complete -F __${program}_complete ${program}
`,
  zsh: (program) => `#compdef ${program}
# zsh completion for ${program}
_${program}() {
  local -a lines described
  local line
  lines=("\${(@f)$("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  for line in "\${lines[@]}"; do
    [[ -z "$line" ]] && continue
    if [[ "$line" == ":files" ]]; then
      _files
      return
    fi
    described+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  _describe '${program}' described
}
if [[ "$funcstack[1]" == "_${program}" ]]; then
  _${program} "$@"
else
  compdef _${program} ${program}
fi
`,
  fish: (program) => `# fish completion for ${program}
function __${program}_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l out ($words[1] __complete -- $words[2..-1] 2>/dev/null)
    if test "$out[1]" = ":files"
        __fish_complete_path (commandline -ct)
        return
    end
    printf '%s\\n' $out
end
complete -c ${program} -f -a '(__${program}_complete)'
`,
};

export function completionCommand(shell: string): Command {
  return defineCommand({
    usage: "",
    args: { min: 0, max: 0 },
    flags: {},
    async run(context) {
      context.stdout.write(scripts[shell]?.(context.program) ?? "");
      return 0;
    },
  });
}
