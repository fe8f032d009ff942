// Renders --help from the tables. Pure.
import { COMMANDS, type Command } from './commands.ts'
import { GROUPS, type OptionSpec } from './options.ts'

export function renderHelp(command: Command | undefined): string {
  return command === undefined ? programHelp() : commandHelp(command)
}

function programHelp(): string {
  return [
    'Usage: cloud-tasks <command> [options]',
    '',
    'Runs millions of independent tasks on spot VMs, cheaply and without babysitting.',
    '',
    'Commands (hyphens work too):',
    ...table(COMMANDS.map(({ name, summary }) => [name, summary])),
    '',
    'cloud-tasks <command> --help shows the options of a command. Options may be shortened while they stay unique.',
  ].join('\n')
}

function commandHelp(command: Command): string {
  const groups = [...command.groups, GROUPS.COMMON].flatMap(({ title, options }) => [
    '',
    `${title}:`,
    ...table(options.map(option => [spell(option), option.doc])),
  ])
  const argument = command.argument === undefined ? '' : ` <${command.argument.choices.join('|')}>`
  return [
    `Usage: cloud-tasks ${command.name}${argument} [options]`,
    '',
    `${capital(command.summary)}.`,
    ...groups,
  ].join('\n')
}

function spell({ flag, short, type, choices, unit }: OptionSpec): string {
  const name = `${short === undefined ? '' : `-${short}, `}--${type === 'pair' ? '[no-]' : ''}${flag}`
  if (type === 'flag' || type === 'pair' || type === 'count') return name
  if (choices !== undefined) return `${name} {${choices.filter(choice => choice === choice.toLowerCase()).join(',')}}`
  const value = unit ?? (type === 'int' || type === 'float' ? 'N' : type === 'words' ? 'TEXT…' : 'TEXT')
  return `${name} ${value}`
}

const MAX_LEFT = 34 // columns: longer spellings get a line of their own

function table(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.min(MAX_LEFT, Math.max(...rows.map(([left]) => left.length)))
  return rows.flatMap(([left, right]) =>
    left.length <= width ? [`  ${left.padEnd(width)}  ${right}`] : [`  ${left}`, `  ${' '.repeat(width)}  ${right}`],
  )
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
