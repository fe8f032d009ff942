// Renders completion scripts for shells from the tables of commands and options. Pure; the scripts start no process.
import { COMMANDS, type Command, optionsOf } from './commands.ts'
import type { OptionSpec } from './options.ts'

export function renderCompletion(shell: 'bash' | 'zsh' | 'fish'): string {
  return { bash, zsh, fish }[shell]()
}

function bash(): string {
  const everyOption = COMMANDS.flatMap(optionsOf)
  const ofKind = (kind: OptionSpec['names']) => everyOption.filter(({ names }) => names === kind)
  const chosen = new Map(everyOption.flatMap(({ flag, choices }) => (choices ? [[flag, choices] as const] : [])))
  const silent = everyOption.filter(
    option => takesValue(option) && option.names === undefined && option.choices === undefined,
  )
  return `# bash completion of cloud-tasks. For this shell: source <(cloud-tasks completion bash)
_cloud_tasks() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} IFS=$'\\n' words=''
  # Bash takes --option=value apart.
  if [[ $current == '=' ]]; then current=''
  elif [[ $previous == '=' ]]; then previous=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  COMPREPLY=()
  if (( COMP_CWORD == 1 )); then
    COMPREPLY=($(compgen -W '${lines(COMMANDS.map(({ name }) => name))}' -- "\${current//-/_}"))
    return
  fi
  case $previous in
    ${pattern(ofKind('file'))}) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$current")); return ;;
    ${pattern(ofKind('folder'))}) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$current")); return ;;
${[...chosen].map(([flag, choices]) => `    --${flag}) COMPREPLY=($(compgen -W '${lines(choices)}' -- "$current")); return ;;`).join('\n')}
    ${pattern(silent)}) return ;;
  esac
  case \${COMP_WORDS[1]//-/_} in
${COMMANDS.map(command => `    ${command.name}) words='${lines(wordsOf(command))}' ;;`).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _cloud_tasks cloud-tasks cloud_tasks`
}

function lines(words: readonly string[]): string {
  return words.join('\n')
}

function pattern(options: readonly OptionSpec[]): string {
  return [...new Set(options.map(({ flag }) => `--${flag}`))].join('|')
}

function wordsOf(command: Command): string[] {
  return [...(command.argument?.choices ?? []), ...optionsOf(command).flatMap(spellings)]
}

function spellings({ flag, type }: OptionSpec): string[] {
  return type === 'pair' ? [`--${flag}`, `--no-${flag}`] : [`--${flag}`]
}

function takesValue({ type }: OptionSpec): boolean {
  return type !== 'flag' && type !== 'pair' && type !== 'count'
}

function zsh(): string {
  const commands = COMMANDS.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}`)
  return `#compdef cloud-tasks cloud_tasks
# zsh completion of cloud-tasks. For this shell: source <(cloud-tasks completion zsh)
_cloud_tasks() {
  local -a commands=(
${commands.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=\${words[2]//-/_}
  shift words
  (( CURRENT-- ))
  case $command in
${COMMANDS.map(command => `    ${command.name}) _arguments ${zshArguments(command).join(' ')} ;;`).join('\n')}
  esac
}
if [[ $funcstack[1] == _cloud_tasks ]]; then _cloud_tasks "$@"; else compdef _cloud_tasks cloud-tasks cloud_tasks; fi`
}

function zshArguments(command: Command): string[] {
  const { argument } = command
  const first = argument === undefined ? [] : [quote(`1:${argument.name}:(${argument.choices.join(' ')})`)]
  return [...first, ...optionsOf(command).flatMap(zshOption)]
}

function zshOption(option: OptionSpec): string[] {
  const text = option.doc.replaceAll(/[[\]:\\]/g, character => `\\${character}`)
  const many = option.type === 'count' || option.type === 'words' ? '*' : ''
  return spellings(option).map(spelling =>
    quote(`${many}${spelling}[${text}]${takesValue(option) ? zshValue(option) : ''}`),
  )
}

function zshValue({ flag, names, choices }: OptionSpec): string {
  const action =
    names === 'file' ? '_files' : names === 'folder' ? '_files -/' : choices ? `(${choices.join(' ')})` : ' '
  return `:${flag}:${action}`
}

function fish(): string {
  const names = COMMANDS.map(({ name }) => name)
  const hyphens = names.map(name => name.replaceAll('_', '-')).filter(name => !names.includes(name))
  const everyCommand = [...names, ...hyphens].join(' ')
  const rows = [
    'complete -c cloud-tasks -f',
    'complete -c cloud_tasks -w cloud-tasks',
    ...COMMANDS.map(
      ({ name, summary }) =>
        `complete -c cloud-tasks -n 'not __fish_seen_subcommand_from ${everyCommand}' -a ${name} -d ${fishQuote(summary)}`,
    ),
    ...COMMANDS.flatMap(fishOptions),
  ]
  return ['# fish completion of cloud-tasks. For this shell: cloud-tasks completion fish | source', ...rows].join('\n')
}

function fishOptions(command: Command): string[] {
  const spelt = [...new Set([command.name, command.name.replaceAll('_', '-')])].join(' ')
  const start = `complete -c cloud-tasks -n '__fish_seen_subcommand_from ${spelt}'`
  const argument =
    command.argument === undefined ? [] : [`${start} -a ${fishQuote(command.argument.choices.join(' '))}`]
  return [
    ...argument,
    ...optionsOf(command).flatMap(option =>
      spellings(option).map(
        spelling => `${start} -l ${spelling.slice(2)}${fishValue(option)} -d ${fishQuote(option.doc)}`,
      ),
    ),
  ]
}

function fishValue(option: OptionSpec): string {
  if (!takesValue(option)) return ''
  if (option.names !== undefined) return ' -r -F'
  return option.choices === undefined ? ' -x' : ` -x -a ${fishQuote(option.choices.join(' '))}`
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}

function fishQuote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
