// The commands of docs/workers/http.md, run as they stand there.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { renderServeHelp } from '../../agent/http/serve-settings.ts'
import { freePort } from '../support/free-port.ts'
import { checkout, ReaderFolder } from '../support/shell-blocks.ts'

const PAGE = 'docs/workers/http.md'

describe('the page about HTTP workers', { timeout: 60_000 }, () => {
  it('shows commands that add a task, claim it, complete it and show its result', async () => {
    const reader = new ReaderFolder(PAGE)
    try {
      const [, commands = ''] = /^```sh\n(.*?)^```$/ms.exec(readPage()) ?? []
      // Without npx between, so that what is killed is the server.
      const port = String(await freePort())
      const commandsHere = commands.replaceAll('8080', port).replace('npx ', '')
      writeFileSync(reader.file('.curlrc'), 'write-out = "\\n"\n') // an answer a line
      const env = `export RMS_CLOUD_TASKS_SERVE_PORT=${port} CURL_HOME=${reader.path}`
      const { exitCode, stdout, stderr } = await reader.run(`${env}\n${commandsHere}\nkill $!; wait $!`, {
        timeoutMs: 30_000,
      })
      assert.equal(exitCode, 0, stderr)
      const answers = stdout.split('\n').flatMap(line => (line.startsWith('{') ? [JSON.parse(line)] : []))
      assert.equal(answers.length, 5, stdout)
      const [health, created, claimed, completed, ended] = answers
      assert.equal(health.status, 'healthy')
      assert.equal(created.task.status, 'pending')
      assert.deepEqual(claimed.task.parameters, { first: 1, second: 2 })
      assert.equal(completed.status, 'completed')
      assert.equal(ended.task.result, 3)
    } finally {
      reader.remove()
    }
  })

  it('names every option of serve', () => {
    const page = readPage()
    const options = renderServeHelp().matchAll(/^ {2}--(?:\[no-\])?([a-z-]+)/gm)
    const missing = [...options].map(([, name]) => `--${name}`).filter(name => !page.includes(`\`${name}`))
    assert.deepEqual(missing, [])
  })
})

function readPage(): string {
  return readFileSync(join(checkout, PAGE), 'utf8')
}
