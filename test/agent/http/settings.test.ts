import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { openApiKeys } from '../../../agent/http/api-keys.ts'
import { exceptionText } from '../../../agent/http/request-bodies.ts'
import { parseServe, type ServeSettings } from '../../../agent/http/serve-settings.ts'

const KEY = 'a-key-for-tests'

describe('the settings of serve', () => {
  let folder = ''
  const before = process.cwd()
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'cloud-tasks-serve-'))
    process.chdir(folder)
  })
  afterEach(() => {
    process.chdir(before)
    rmSync(folder, { recursive: true, force: true })
  })
  const parse = (words: readonly string[], env: Record<string, string> = { API_KEY: KEY }): ServeSettings => {
    const asked = parseServe(['--provider', 'local', '--job-id', 'job', ...words], env)
    assert.ok(asked.ask === 'serve')
    return asked.settings
  }

  it('have defaults for all but the queue and the key', () => {
    const { host, port, claimLeaseSeconds, agent, queueName, stateFile, verbose } = parse([])
    assert.deepEqual([host, port, claimLeaseSeconds, queueName], ['127.0.0.1', 8080, 300, 'job'])
    assert.deepEqual([agent.maxAttempts, agent.leaseSeconds, verbose], [10, 60, false])
    assert.equal(stateFile, join('.cloud-tasks', 'serve', 'job.sqlite'))
  })

  it('come from the option, else the environment, else .env, else config.json', () => {
    writeFileSync(
      'config.json',
      JSON.stringify({ worker: { max_retries: 4 }, server: { port: 1, api_keys: [`c:${KEY}c`] } }),
    )
    assert.equal(parse(['--config', 'config.json']).port, 1)
    assert.equal(parse(['--config', 'config.json']).agent.maxAttempts, 4)
    writeFileSync('.env', 'RMS_CLOUD_TASKS_SERVE_PORT=2\nMAX_RETRIES=5\nLOG_LEVEL=debug\nLOG_FILE=/tmp/x.log\n')
    const second = parse(['--config', 'config.json'])
    assert.deepEqual(
      [second.port, second.agent.maxAttempts, second.verbose, second.logFile],
      [2, 5, true, '/tmp/x.log'],
    )
    const third = parse(['--config', 'config.json'], { RMS_CLOUD_TASKS_SERVE_PORT: '3', MAX_RETRIES: '6' })
    assert.deepEqual([third.port, third.agent.maxAttempts], [3, 6])
    assert.equal(
      parse(['--config=config.json', '--port=4', '--max-attempts', '7'], { MAX_RETRIES: '6' }).agent.maxAttempts,
      7,
    )
    assert.deepEqual(third.apiKeys, [`c:${KEY}c`])
  })

  it('take keys from every place, each once', () => {
    writeFileSync('keys', `# who may\nalice:${KEY}1\n\n${KEY}2\n`)
    const { apiKeys } = parse(['--api-keys-file', 'keys'], {
      API_KEY: `${KEY}2`,
      API_KEYS: `bob:${KEY}3, carol:${KEY}4`,
    })
    assert.deepEqual(apiKeys, [`${KEY}2`, `bob:${KEY}3`, `carol:${KEY}4`, `alice:${KEY}1`])
  })

  it('say what is missing or wrong in one sentence', () => {
    const cases: readonly (readonly [() => unknown, RegExp])[] = [
      [() => parse([], {}), /no API key/],
      [() => parse(['--port', 'http']), /--port must be a number from 0 to 65535, got "http"/],
      [() => parse(['--config', 'no.json']), /--config no\.json cannot be read/],
      [() => parse(['--env-file', 'no.env']), /--env-file no\.env cannot be read/],
      [() => parse(['./task.ts']), /serve takes no task/],
      [() => parse(['--port']), /--port needs a value/],
      [() => parseServe([], { API_KEY: KEY }), /Provider must be specified/],
      [() => parseServe(['--provider', 'local'], { API_KEY: KEY }), /queue is not known/],
      [() => openApiKeys(['short']), /too short/],
      [() => openApiKeys([`a:${KEY}`, `a:${KEY}2`]), /Two API keys have the name "a"/],
    ]
    for (const [attempt, message] of cases) assert.throws(attempt, { name: 'UserError', message })
    writeFileSync('config.json', '{"server":{"prot":1}}')
    assert.throws(() => parse(['--config', 'config.json']), /"server\.prot" is not a setting/)
    writeFileSync('config.json', '{"server":')
    assert.throws(() => parse(['--config', 'config.json']), /config\.json is not JSON/)
  })
})

describe('API keys', () => {
  it('are users of their own, and a key without a name stays the same user when others come and go', () => {
    const few = openApiKeys([`alice:${KEY}1`, `${KEY}2`])
    const many = openApiKeys([`${KEY}0`, `${KEY}2`])
    assert.equal(few.userOf(`Bearer ${KEY}1`), 'alice')
    assert.equal(few.userOf(`bearer ${KEY}2`), many.userOf(`Bearer ${KEY}2`))
    assert.notEqual(many.userOf(`Bearer ${KEY}0`), many.userOf(`Bearer ${KEY}2`))
    for (const header of [undefined, '', 'Bearer ', KEY, `Bearer ${KEY}`, `Basic ${KEY}1`])
      assert.equal(few.userOf(header), undefined)
  })
})

describe('the text of a failure', () => {
  it('has its telling line first or last, whichever language it comes from', () => {
    const js = { error: 'no', stack: 'Error: no\n    at f (a.js:1:1)' }
    assert.equal(exceptionText(js), js.stack)
    const python = { error: 'no', traceback: 'Traceback (most recent call last):\n  File "a"\nValueError: no\n' }
    assert.equal(exceptionText(python), python.traceback.trimEnd())
    const php = { error: 'no', trace: '#0 a.php(3): f()\n#1 {main}' }
    assert.equal(exceptionText(php), `${php.trace}\nno`)
    assert.equal(exceptionText({ ...js, type: 'T' }), `T: no\n${js.stack}`)
    assert.equal(exceptionText({ error: 'no' }), 'no')
  })
})
