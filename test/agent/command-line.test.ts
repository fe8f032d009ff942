import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseCommandLine, renderHelp } from '../../agent/command-line.ts'
import { UserError } from '../../core/errors.ts'
import { SETTING_ENTRIES } from '../../core/settings.ts'

const parse = (words: string, env: Record<string, string> = {}) =>
  parseCommandLine(words.split(' ').filter(Boolean), env)

function problem(words: string, env: Record<string, string> = {}): { message: string; exitCode: number } {
  try {
    parse(words, env)
  } catch (error) {
    assert.ok(error instanceof UserError)
    return { message: error.message, exitCode: error.exitCode }
  }
  return assert.fail(`accepted: ${words}`)
}

describe('the command line of the agent', () => {
  it('beats the environment, which beats the default', () => {
    assert.equal(parse('./t.ts').settings.maxRuntimeSeconds, 3600)
    const env = { RMS_CLOUD_TASKS_MAX_RUNTIME: '20' }
    assert.equal(parse('./t.ts', env).settings.maxRuntimeSeconds, 20)
    assert.equal(parse('--max-runtime 5 ./t.ts', env).settings.maxRuntimeSeconds, 5)
    assert.equal(parse('--max-runtime=5 ./t.ts', env).settings.maxRuntimeSeconds, 5)
  })

  it('reads booleans as the Python system does, and leaves unset ones unset', () => {
    const on = (text: string) => parse('', { RMS_CLOUD_TASKS_RETRY_ON_EXIT: text }).settings.retryOnExit
    assert.deepEqual(['true', 'True', '1', 'False', 'None', 'yes', '0'].map(on), [
      true,
      true,
      true,
      false,
      false,
      false,
      false,
    ])
    assert.equal(on(''), undefined)
    assert.equal(parse('').settings.retryOnExit, undefined)
    assert.equal(parse('--no-retry-on-exit', { RMS_CLOUD_TASKS_RETRY_ON_EXIT: '1' }).settings.retryOnExit, false)
  })

  it('takes a unique prefix for a long option, and both spellings of the task file', () => {
    assert.equal(parse('--max-run 5').settings.maxRuntimeSeconds, 5)
    assert.equal(parse('--tasks a.json').settings.taskFile, 'a.json')
    assert.equal(parse('--task-file a.json').settings.taskFile, 'a.json')
    assert.equal(parse('--use').settings.useNewProcess, true)
    assert.deepEqual(problem('--max 5').exitCode, 2)
    assert.match(problem('--retry-on-e').message, /ambiguous: it could be --retry-on-exit or --retry-on-exception/)
  })

  it('tells a module from a command', () => {
    assert.deepEqual(parse('./t.ts --max-runtime 5').task, { kind: 'module', file: './t.ts' })
    assert.deepEqual(parse('-v -- python3 x.py --max-runtime 5').task, {
      kind: 'command',
      words: ['python3', 'x.py', '--max-runtime', '5'],
    })
    assert.match(problem('a.ts b.ts').message, /Only one task/)
    assert.match(problem('a.ts -- b').message, /not both/)
  })

  it('says in one sentence what is wrong with a value and where it comes from, exit code 1', () => {
    assert.deepEqual(problem('--max-runtime soon'), {
      message: '--max-runtime must be a number (s), got "soon".',
      exitCode: 1,
    })
    assert.deepEqual(problem('', { RMS_CLOUD_TASKS_MAX_ATTEMPTS: '0' }), {
      message: 'RMS_CLOUD_TASKS_MAX_ATTEMPTS must be >= 1, got 0.',
      exitCode: 1,
    })
    assert.match(problem('--max-memory-allowed-per-task inf').message, /must be a number/)
    assert.match(problem('--num-cpus 1.5').message, /whole number/)
  })

  it('says what is wrong with the command line, exit code 2', () => {
    for (const words of ['--nonsense', '-x', '--max-runtime', '--use-new-process=1', '--'])
      assert.equal(problem(words).exitCode, 2, words)
  })

  it('documents every setting in --help', () => {
    const help = renderHelp()
    for (const [, { flag, env, doc }] of SETTING_ENTRIES)
      for (const text of [flag, env, doc]) assert.ok(help.includes(text), text)
  })
})
