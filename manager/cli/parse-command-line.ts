// Turns the words of the command line into a command and its options, by the tables. Behaves as Python's argparse does.
import { UserError } from '../../core/errors.ts'
import { nearestOf } from '../../core/nearest-word.ts'
import { COMMANDS, type Command, optionsOf } from './commands.ts'
import { GivenOptions, type OptionValue } from './invocation.ts'
import type { OptionSpec } from './options.ts'

export type ParsedCommandLine =
  | { readonly kind: 'run'; readonly command: Command; readonly options: GivenOptions }
  | { readonly kind: 'help'; readonly command: Command | undefined }
  | { readonly kind: 'version' }

export function parseCommandLine(words: readonly string[]): ParsedCommandLine {
  const [first, ...rest] = words
  if (first === undefined) throw usage(`which command? Commands are ${COMMANDS.map(({ name }) => name).join(', ')}`)
  if (first === '--version') return { kind: 'version' }
  if (first === '-h' || first === '--help' || first === 'help') {
    return { kind: 'help', command: first === 'help' && rest[0] !== undefined ? commandNamed(rest[0]) : undefined }
  }
  const command = commandNamed(first)
  const options = parseOptions(rest, command)
  return options.has('help') ? { kind: 'help', command } : { kind: 'run', command, options }
}

function commandNamed(word: string): Command {
  const name = word.replaceAll('-', '_')
  const found = COMMANDS.find(command => command.name === name)
  if (found !== undefined) return found
  if (word.startsWith('-')) throw usage(`the command comes first, then ${word}`)
  const names = COMMANDS.map(command => command.name)
  const nearest = nearestOf(word, names)
  throw usage(
    `unknown command "${word}"; ${nearest === undefined ? `commands are ${names.join(', ')}` : `did you mean ${nearest}?`}`,
  )
}

/** One way of writing an option: `--x`, `--no-x`, `-x`. */
interface Spelling {
  readonly text: string
  readonly spec: OptionSpec
  readonly negated: boolean
}

function parseOptions(words: readonly string[], command: Command): GivenOptions {
  const spellings = optionsOf(command).flatMap(spellingsOf)
  const values = new Map<string, OptionValue>()
  let at = 0
  while (at < words.length) {
    const word = words[at] ?? ''
    at += 1
    if (/^-[a-z]{2,}$/.test(word)) {
      // -vv, -fv
      for (const letter of word.slice(1)) setFlag(values, find(`-${letter}`, spellings, command))
      continue
    }
    if (!word.startsWith('-')) {
      setArgument(values, word, command)
      continue
    }
    const equals = word.startsWith('--') ? word.indexOf('=') : -1
    const spelling = find(equals === -1 ? word : word.slice(0, equals), spellings, command)
    const inline = equals === -1 ? [] : [word.slice(equals + 1)]
    if (takesNoValue(spelling.spec)) {
      if (inline.length > 0) throw usage(`${spelling.text} takes no value`)
      setFlag(values, spelling)
      continue
    }
    const given = inline.length > 0 ? inline : words.slice(at, at + valueCount(words, at, spelling.spec, spellings))
    if (inline.length === 0) at += given.length
    values.set(spelling.spec.flag, parseValues(given, spelling))
  }
  refuseBoth('task-queue-only', 'event-queue-only', values)
  return new GivenOptions(values)
}

function spellingsOf(spec: OptionSpec): Spelling[] {
  const long: Spelling = { text: `--${spec.flag}`, spec, negated: false }
  const short: Spelling[] = spec.short === undefined ? [] : [{ text: `-${spec.short}`, spec, negated: false }]
  const negated: Spelling[] = spec.type === 'pair' ? [{ text: `--no-${spec.flag}`, spec, negated: true }] : []
  return [long, ...short, ...negated]
}

function find(word: string, spellings: readonly Spelling[], command: Command): Spelling {
  // Underscores for hyphens: people copy names from the job file.
  const wanted = word.replaceAll('_', '-')
  const exact = spellings.find(({ text }) => text === wanted)
  if (exact !== undefined) return exact
  const candidates = wanted.startsWith('--') ? spellings.filter(({ text }) => text.startsWith(wanted)) : []
  const [first] = candidates
  const [only, another] = candidates.some(isShared) ? candidates.filter(isShared) : candidates
  if (only !== undefined && another === undefined) return only
  if (first !== undefined) {
    throw usage(`${word} could be ${candidates.map(({ text }) => text).join(' or ')}; write more of it`)
  }
  const nearest = nearestOf(
    wanted,
    spellings.map(({ text }) => text),
  )
  throw usage(`${command.name} has no option ${word}${nearest === undefined ? '' : `; did you mean ${nearest}?`}`)
}

/** An option that the Python system has too: what is short for it there is short for it here, whatever we added. */
function isShared({ spec, negated }: Spelling): boolean {
  return !(spec.added === true || (negated && spec.added === 'no-'))
}

function setArgument(values: Map<string, OptionValue>, word: string, { name, argument }: Command): void {
  if (argument === undefined || values.has(argument.name))
    throw usage(`${name} takes no "${word}"; options begin with --`)
  if (!argument.choices.includes(word)) throw usage(`${name} ${argument.choices.join(' or ')}, not "${word}"`)
  values.set(argument.name, word)
}

function takesNoValue({ type }: OptionSpec): boolean {
  return type === 'flag' || type === 'pair' || type === 'count'
}

function setFlag(values: Map<string, OptionValue>, { spec, negated, text }: Spelling): void {
  if (!takesNoValue(spec)) throw usage(`${text} needs a value`)
  const before = values.get(spec.flag)
  if (spec.type === 'count') values.set(spec.flag, (typeof before === 'number' ? before : 0) + 1)
  else values.set(spec.flag, !negated)
}

/** One value, or for `words` all up to the next option. `-5` and `-created` are values where no option is called so. */
function valueCount(
  words: readonly string[],
  at: number,
  { type }: OptionSpec,
  spellings: readonly Spelling[],
): number {
  const isValue = (word: string | undefined) =>
    word !== undefined && !word.startsWith('--') && !spellings.some(({ text }) => text === word)
  if (type !== 'words') return isValue(words[at]) ? 1 : 0
  let count = 0
  while (isValue(words[at + count])) count += 1
  return count
}

function parseValues(given: readonly string[], { spec, text }: Spelling): OptionValue {
  const [first] = given
  if (first === undefined) throw usage(`${text} needs a value`)
  if (spec.type === 'words') {
    const words = spec.flag === 'instance-types' ? given.flatMap(word => word.split(/[,\s]+/)) : given
    return words.filter(word => word !== '')
  }
  if (spec.choices !== undefined && !spec.choices.includes(first)) {
    throw usage(`${text} must be one of ${spec.choices.join(', ')}, not "${first}"`)
  }
  if (spec.type !== 'int' && spec.type !== 'float') return first
  const isNumber = spec.type === 'int' ? /^[-+]?\d+$/ : /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i
  if (!isNumber.test(first)) {
    throw usage(`${text} must be ${spec.type === 'int' ? 'a whole number' : 'a number'}, not "${first}"`)
  }
  return Number(first)
}

function refuseBoth(one: string, other: string, values: ReadonlyMap<string, OptionValue>): void {
  if (values.has(one) && values.has(other)) throw usage(`--${one} and --${other} exclude each other`)
}

function usage(problem: string): UserError {
  return new UserError(`cloud-tasks: ${problem}${problem.endsWith('?') ? '' : '.'} See cloud-tasks --help.`, {
    exitCode: 2,
  })
}
