// Renders the tables of the reference pages from the tables that the programs themselves parse by. Pure.
import { type KeySpec, PROVIDER_KEYS, RUN_KEYS, SECTIONS } from '../core/config-keys.ts'
import {
  AGENT_METRICS,
  HTTP_METRICS,
  JOB_METRICS,
  type MetricName,
  metricSpec,
  PROCESS_METRICS,
} from '../core/metric-table.ts'
import { SETTING_ENTRIES, type SettingEntry } from '../core/settings.ts'
import { COMMANDS } from '../manager/cli/commands.ts'
import { GROUPS, type OptionGroup, type OptionSpec } from '../manager/cli/options.ts'

/** Pages of docs/, and the generated part of each. */
export function renderReferences(): Readonly<Record<string, string>> {
  return {
    'agent-settings.md': settingsTable(),
    'commands.md': commandTables(),
    'job-file.md': jobFileTables(),
    'observability.md': metricTables(),
  }
}

/** Puts `generated` between the page's two marks. */
export function fillPage(page: string, generated: string): string {
  const [head, tail] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (head < 0 || tail < head) throw new Error(`The page lacks the line "${BEGIN}" or "${END}".`)
  return `${page.slice(0, head)}${BEGIN}\n\n${generated}\n\n${page.slice(tail)}`
}

const BEGIN = '<!-- written by npm run docs -->'
const END = '<!-- end -->'

function settingsTable(): string {
  const rows = SETTING_ENTRIES.map(([, setting]) => [
    [setting.flag, ...(setting.aliases ?? [])]
      .map(flag => code(`--${setting.type === 'boolean' ? '[no-]' : ''}${flag}`))
      .join(', '),
    code(setting.env),
    setting.default === undefined ? '' : code(String(setting.default)),
    unitOf(setting),
    setting.doc,
  ])
  return table(['Option', 'Environment variable', 'Default', 'Unit', 'What it does'], rows)
}

function unitOf({ type, unit }: SettingEntry[1]): string {
  return unit ?? (type === 'integer' || type === 'number' ? 'number' : type === 'boolean' ? 'yes or no' : 'text')
}

function commandTables(): string {
  const rows = COMMANDS.map(command => [
    code(command.name),
    command.summary,
    command.groups.map(titleOf(command.name)).join(', '),
  ])
  const own = COMMANDS.flatMap(({ name, groups }) =>
    groups.filter(({ title }) => title === OWN).map(group => `### ${code(name)}\n\n${optionTable(group)}`),
  )
  const shared = new Map(
    COMMANDS.flatMap(({ groups }) => [...groups, GROUPS.COMMON]).map(group => [group.title, group]),
  )
  shared.delete(OWN)
  return [
    table(['Command', 'What it does', 'Options'], rows),
    '## Options of one command',
    ...own,
    '## Options that commands share',
    ...[...shared.values()].map(group => `### ${group.title}\n\n${optionTable(group)}`),
  ].join('\n\n')
}

const OWN = 'Options' // the title of the group that only one command has

function titleOf(command: string) {
  return ({ title }: OptionGroup) =>
    title === OWN ? `[its own](#${command})` : `[${title}](#${title.toLowerCase().replaceAll(' ', '-')})`
}

function optionTable({ options }: OptionGroup): string {
  return table(
    ['Option', 'What it does'],
    options.map(option => [spell(option), option.doc]),
  )
}

function spell({ flag, short, type, unit }: OptionSpec): string {
  const name = `--${type === 'pair' ? '[no-]' : ''}${flag}`
  const value = { flag: '', pair: '', count: '', text: 'TEXT', words: 'TEXT…', int: unit ?? 'N', float: unit ?? 'N' }[
    type
  ]
  return [...(short === undefined ? [] : [code(`-${short}`)]), code(`${name} ${value}`.trim())].join(', ')
}

function jobFileTables(): string {
  return [
    '## `run`',
    keyTable(RUN_KEYS),
    ...SECTIONS.flatMap(section => [`## \`${section}\``, keyTable(PROVIDER_KEYS[section])]),
  ].join('\n\n')
}

function metricTables(): string {
  const parts = {
    'Of a job': JOB_METRICS,
    'Of an agent': AGENT_METRICS,
    'Of the HTTP API': HTTP_METRICS,
    'Of each of these programs': PROCESS_METRICS,
  }
  return Object.entries(parts)
    .map(([title, metrics]) => `### ${title}\n\n${metricTable(Object.keys(metrics))}`)
    .join('\n\n')
}

function metricTable(names: readonly string[]): string {
  const rows = names.map(name => {
    const { kind, labels = [], doc } = metricSpec(name as MetricName)
    return [code(name), kind, labels.map(code).join(', '), doc]
  })
  return table(['Metric', 'Kind', 'Labels', 'What it says'], rows)
}

function keyTable(keys: Readonly<Record<string, KeySpec>>): string {
  return table(
    ['Key', 'Value', 'Default', 'What it says'],
    Object.entries(keys).map(([key, spec]) => [code(key), kindOf(spec), spec.default ?? '', spec.doc]),
  )
}

function kindOf(spec: KeySpec): string {
  switch (spec.type) {
    case 'int':
    case 'float': {
      const kind = spec.unit ?? (spec.type === 'int' ? 'whole number' : 'number')
      return spec.above !== undefined
        ? `${kind} > ${spec.above}`
        : spec.least !== undefined
          ? `${kind} ≥ ${spec.least}`
          : kind
    }
    case 'bool':
      return '`true` or `false`'
    case 'list':
      return 'text or list'
    case 'choice':
      return [...new Set(spec.choices.map(choice => choice.toLowerCase()))].map(code).join(', ')
    case 'map':
      return 'mapping of names to texts'
    case 'fallback':
      return '`never` or a mapping'
    case 'text':
      return spec.form ?? 'text'
  }
}

function code(text: string): string {
  return `\`${text}\``
}

function table(headers: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escapeCell).join(' | ')} |`
  return [line(headers), `|${headers.map(() => '---|').join('')}`, ...rows.map(line)].join('\n')
}

/** A bar would end the cell; an angle bracket would begin an HTML tag, except in code. */
function escapeCell(cell: string): string {
  const parts = cell.replaceAll('|', '\\|').split('`')
  return parts.map((part, index) => (index % 2 === 0 ? part.replaceAll('<', '&lt;') : part)).join('`')
}
