// Holds our command line against the Python package's own: python-options.json was read from the parser of rms-cloud-tasks 0.5.0.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { COMMANDS, optionsOf } from '../../manager/cli/commands.ts'
import type { OptionSpec } from '../../manager/cli/options.ts'
import { parseCommandLine } from '../../manager/cli/parse-command-line.ts'
import { renderHelp } from '../../manager/cli/render-help.ts'

interface PythonOption {
  readonly options: readonly string[]
  readonly type: 'text' | 'int' | 'float' | 'words' | 'flag' | 'count'
  readonly default?: string | number | boolean
  readonly choices?: readonly string[]
}

const python: Readonly<Record<string, readonly PythonOption[]>> = JSON.parse(
  readFileSync(new URL('python-options.json', import.meta.url), 'utf8'),
)

/** Newer than the release that our formats follow; named in docs/compatibility.md. */
const NOT_TAKEN_OVER = new Set(['--allow-cpu-wasting', '--no-allow-cpu-wasting'])

for (const [name, rows] of Object.entries(python)) {
  describe(`cloud-tasks ${name}`, () => {
    const command = COMMANDS.find(known => known.name === name) ?? assert.fail(`no command ${name}`)
    const ours = optionsOf(command)
    const known = rows.filter(row => !NOT_TAKEN_OVER.has(row.options[0] ?? ''))

    it('has every option of the Python package, with its type, choices and default', () => {
      for (const row of known) {
        for (const spelling of row.options) {
          const spec = specOf(ours, spelling) ?? assert.fail(`${name} has no ${spelling}`)
          assert.ok(accepts(spec, row), `${spelling}: ${spec.type} for ${row.type}`)
          for (const choice of row.choices ?? []) assert.ok(spec.choices?.includes(choice), `${spelling} ${choice}`)
        }
      }
    })

    it('explains every one of them in --help, with its unit or kind', () => {
      const lines = renderHelp(command).split('\n')
      for (const { options, type } of known) {
        const word = options.find(option => option.startsWith('--')) ?? ''
        const forms = [word, word.replace('--', '--[no-]'), word.replace('--no-', '--[no-]')]
        const line = lines.find(text => forms.some(form => text.includes(form))) ?? assert.fail(word)
        if (type === 'int' || type === 'float') assert.match(line, /--\S+ \S/, `${word} names what it takes`)
      }
    })

    it('takes the same shortened options as Python’s argparse', () => {
      const spellings = rows.flatMap(row =>
        row.options.filter(option => option.startsWith('--')).map(text => ({ text, row })),
      )
      let count = 0
      for (const { text, row } of spellings) {
        if (NOT_TAKEN_OVER.has(text)) continue
        for (let length = 3; length < text.length; length++) {
          const short = text.slice(0, length)
          if ('--service-account'.startsWith(short)) continue // of earlier releases, where it was ambiguous
          if (spellings.filter(other => other.text.startsWith(short)).length > 1) continue
          const given = row.type === 'flag' || row.type === 'count' ? [] : [row.choices?.[0] ?? '7']
          const parsed = parseCommandLine([name, short, ...given])
          const flag = specOf(ours, text)?.flag ?? ''
          if (flag === 'help') assert.equal(parsed.kind, 'help')
          else assert.ok(parsed.kind === 'run' && parsed.options.value(flag) !== undefined, `${short} is not ${text}`)
          count++
        }
      }
      assert.ok(count > 50, `${count} spellings`)
    })
  })
}

it('has the option --service-account of earlier Python releases', () => {
  for (const command of COMMANDS) assert.ok(specOf(optionsOf(command), '--service-account'), command.name)
})

function specOf(ours: readonly OptionSpec[], spelling: string): OptionSpec | undefined {
  return ours.find(
    ({ flag, short, type }) =>
      spelling === `--${flag}` || spelling === `-${short}` || (type === 'pair' && spelling === `--no-${flag}`),
  )
}

function accepts(spec: OptionSpec, { type }: PythonOption): boolean {
  if (type === 'flag') return spec.type === 'flag' || spec.type === 'pair'
  if (type === 'int') return spec.type === 'int' || spec.type === 'float'
  if (type === 'words') return spec.type === 'words' || spec.flag === 'zone'
  return spec.type === type
}
