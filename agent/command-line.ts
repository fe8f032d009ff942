// Turns the command line and the environment into settings. Option beats environment beats default.
import { UserError } from '../core/errors.ts'
import { type AgentSettings, SETTING_ENTRIES, type SettingEntry } from '../core/settings.ts'

export interface CommandLine {
  readonly settings: AgentSettings
  /** A module such as `./task.ts`, or the words after `--`. */
  readonly task:
    | { readonly kind: 'module'; readonly file: string }
    | { readonly kind: 'command'; readonly words: readonly string[] }
    | undefined
  readonly verbose: boolean
  readonly ask: 'run' | 'help' | 'version'
}

type Value = string | number | boolean
type Env = Readonly<Record<string, string | undefined>>

interface Spelling {
  readonly spelling: string
  readonly target:
    | { readonly kind: 'setting'; readonly entry: SettingEntry; readonly negated: boolean }
    | { readonly kind: 'verbose' | 'help' | 'version' }
}

const SPELLINGS: readonly Spelling[] = [
  ...SETTING_ENTRIES.flatMap((entry): Spelling[] => {
    const [, { flag, aliases = [], type }] = entry
    const plain = [flag, ...aliases].map(name => spelled(`--${name}`, entry, false))
    return type === 'boolean' ? [...plain, spelled(`--no-${flag}`, entry, true)] : plain
  }),
  { spelling: '--verbose', target: { kind: 'verbose' } },
  { spelling: '--help', target: { kind: 'help' } },
  { spelling: '--version', target: { kind: 'version' } },
]

export function parseCommandLine(words: readonly string[], env: Env): CommandLine {
  const values: Record<string, Value> = {}
  let file: string | undefined
  let command: readonly string[] | undefined
  let verbose = false
  let ask: CommandLine['ask'] = 'run'
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? ''
    if (word === '--') {
      command = words.slice(i + 1)
      break
    }
    if (word === '-v' || word === '-vv') verbose = true
    else if (word === '-h') ask = 'help'
    else if (word.startsWith('--')) {
      const equals = word.indexOf('=')
      const name = equals === -1 ? word : word.slice(0, equals)
      const { spelling, target } = findSpelling(name)
      if (target.kind === 'verbose') verbose = true
      else if (target.kind !== 'setting') ask = target.kind
      else if (target.entry[1].type === 'boolean') {
        if (equals !== -1) throw usage(`${spelling} takes no value; write ${spelling} or --no-…`)
        values[target.entry[0]] = !target.negated
      } else {
        const text = equals === -1 ? words[++i] : word.slice(equals + 1)
        if (text === undefined) throw usage(`${spelling} needs a value`)
        values[target.entry[0]] = parseValue(target.entry, text, spelling)
      }
    } else if (word.startsWith('-') && word.length > 1) throw usage(`Unknown option ${word}`)
    else if (file === undefined) file = word
    else throw usage(`Only one task can be given, but there are "${file}" and "${word}"; put a command after --`)
  }
  if (file !== undefined && command !== undefined) {
    throw usage(`Give either a module ("${file}") or a command after --, not both`)
  }
  if (command?.length === 0) throw usage('There is no command after --')
  return {
    settings: complete(values, env),
    task:
      file !== undefined
        ? { kind: 'module', file }
        : command === undefined
          ? undefined
          : { kind: 'command', words: command },
    verbose,
    ask,
  }
}

/** The text of --help. */
export function renderHelp(): string {
  const lines = SETTING_ENTRIES.flatMap(([, { flag, type, unit, doc, env, default: fallback }]) => {
    const name =
      type === 'boolean' ? `--[no-]${flag}` : `--${flag} ${(unit ?? (type === 'text' ? 'TEXT' : 'N')).toUpperCase()}`
    const tail = fallback === undefined || fallback === false ? '' : ` (default ${fallback})`
    return [`  ${name}`, `      ${doc}${tail} [${env}]`]
  })
  return [
    'Usage: cloud-tasks-agent [options] ./task.ts',
    '       cloud-tasks-agent [options] ./worker.py:process_task',
    '       cloud-tasks-agent [options] -- command args',
    '       cloud-tasks-agent serve [options]     (the HTTP API; serve --help)',
    '       cloud-tasks-agent python-path         (for PYTHONPATH: the package cloud_tasks of Python workers)',
    '',
    'Takes tasks from a queue (or a task file), runs each in a process of its own, reports every result.',
    'A task is a module with a default export or an export processTask(taskId, taskData, worker), a Python function,',
    'any program that speaks JSON lines on stdin and stdout (docs/protocol.md), or with --one-shot any program at all.',
    '',
    'Options (an option beats its environment variable; long options may be shortened while they stay unique):',
    ...lines,
    '  -v, --verbose',
    '      log more',
    '  --help, --version',
    '',
  ].join('\n')
}

function spelled(spelling: string, entry: SettingEntry, negated: boolean): Spelling {
  return { spelling, target: { kind: 'setting', entry, negated } }
}

function findSpelling(name: string): Spelling {
  const exact = SPELLINGS.find(({ spelling }) => spelling === name)
  if (exact !== undefined) return exact
  const candidates = SPELLINGS.filter(({ spelling }) => spelling.startsWith(name))
  const [only] = candidates
  if (only === undefined) throw usage(`Unknown option ${name}`)
  if (candidates.length > 1) {
    throw usage(`Option ${name} is ambiguous: it could be ${candidates.map(({ spelling }) => spelling).join(' or ')}`)
  }
  return only
}

/** The only place that makes `AgentSettings`: the table says which type each value has. */
function complete(values: Readonly<Record<string, Value>>, env: Env): AgentSettings {
  const all: Record<string, Value | undefined> = {}
  for (const entry of SETTING_ENTRIES) {
    const [name, setting] = entry
    const text = env[setting.env]
    all[name] = values[name] ?? (text ? parseValue(entry, text, setting.env) : undefined) ?? setting.default
  }
  return all as AgentSettings
}

function parseValue([, setting]: SettingEntry, text: string, source: string): Value {
  const { type, min, aboveMin, unit } = setting
  if (type === 'text') return text
  if (type === 'boolean') return /^(true|1)$/i.test(text) // anything else is false, as in the Python system
  const value = text.trim() === '' ? Number.NaN : Number(text)
  const whole = type === 'integer'
  if (!Number.isFinite(value) || (whole && !Number.isInteger(value))) {
    throw new UserError(`${source} must be a ${whole ? 'whole ' : ''}number${unit ? ` (${unit})` : ''}, got "${text}".`)
  }
  if (min !== undefined && (aboveMin ? value <= min : value < min)) {
    throw new UserError(`${source} must be ${aboveMin ? '>' : '>='} ${min}, got ${text}.`)
  }
  return value
}

function usage(problem: string): UserError {
  return new UserError(`${problem}. See cloud-tasks-agent --help.`, { exitCode: 2 })
}
